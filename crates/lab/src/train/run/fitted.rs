//! Weights that are being fitted: the variables, the optimiser's moments and a moving average, together in
//! and out of a checkpoint.

use crate::train::error::TrainError;
use crate::train::optimizer::{Optimizer, OptimizerSettings, Parameter, WeightAverage};
use candle_core::backprop::GradStore;
use candle_core::{Tensor, Var};
use maskwatch::nn::weights::Weights;
use std::collections::BTreeMap;

/// The fitted tensors of a network.
pub(in crate::train) struct Fitted {
    variables: BTreeMap<String, Var>,
    optimizer: Optimizer,
    average: Option<WeightAverage>,
}

impl Fitted {
    /// Starts from the present values of `variables`. `factor` gives a variable's learning rate relative to
    /// the common one, `decay` is that of the moving average, 0 for none. Variables that are running
    /// statistics are averaged and saved like the others, but not fitted.
    ///
    /// # Errors
    /// A variable is not f32.
    pub(in crate::train) fn new(
        variables: BTreeMap<String, Var>,
        settings: OptimizerSettings,
        decay: f64,
        factor: impl Fn(&str, &Var) -> candle_core::Result<f64>,
    ) -> candle_core::Result<Self> {
        let parameters = variables.iter().map(|(name, variable)| {
            let rate_factor = factor(name, variable)?;
            Ok(Parameter { name: name.clone(), variable: variable.clone(), rate_factor })
        });
        let mut parameters = parameters.collect::<candle_core::Result<Vec<Parameter>>>()?;
        let average = if decay > 0.0 { Some(WeightAverage::new(parameters.clone(), decay)?) } else { None };
        parameters.retain(|parameter| !is_statistic(&parameter.name));
        Ok(Self { variables, optimizer: Optimizer::new(parameters, settings), average })
    }

    /// One step of the optimiser and of the average. `statistics` are the running statistics of live batch
    /// norms after the step's batch, which are averaged like the weights that they belong to.
    ///
    /// # Errors
    /// A gradient or statistic has another shape than its variable.
    pub(in crate::train) fn step(
        &mut self,
        gradients: &GradStore,
        rate: f64,
        statistics: Vec<(String, Tensor)>,
    ) -> candle_core::Result<()> {
        self.optimizer.step(gradients, rate)?;
        for (name, tensor) in statistics {
            if let Some(variable) = self.variables.get(&name) {
                variable.set(&tensor)?;
            }
        }
        self.average.as_mut().map_or(Ok(()), WeightAverage::update)
    }

    /// The moving average, or the weights themselves without one: what is measured and shipped.
    ///
    /// # Errors
    /// None in practice: the tensors are copies of the variables.
    pub(in crate::train) fn averaged(&mut self) -> candle_core::Result<BTreeMap<String, Tensor>> {
        self.swap()?;
        let tensors = self.present("");
        self.swap()?;
        tensors
    }

    fn swap(&mut self) -> candle_core::Result<()> {
        self.average.as_mut().map_or(Ok(()), WeightAverage::swap)
    }

    /// Copies of the variables, `prefix` before their names.
    fn present(&self, prefix: &str) -> candle_core::Result<BTreeMap<String, Tensor>> {
        let copy = |(name, variable): (&String, &Var)| Ok((format!("{prefix}{name}"), variable.copy()?));
        self.variables.iter().map(copy).collect()
    }

    /// The complete state, and the steps that optimiser and average have taken.
    ///
    /// # Errors
    /// None in practice: the tensors are copies of the network's own.
    pub(super) fn state(&self) -> candle_core::Result<(BTreeMap<String, Tensor>, [u64; 2])> {
        let mut state = self.present("parameter.")?;
        state.extend(self.optimizer.state()?);
        if let Some(average) = &self.average {
            state.extend(average.state()?);
        }
        Ok((state, [self.optimizer.steps(), self.average.as_ref().map_or(0, WeightAverage::steps)]))
    }

    /// Restores what [`state`](Self::state) returned.
    ///
    /// # Errors
    /// The state is of another network.
    pub(super) fn restore(&mut self, state: &Weights, steps: [u64; 2]) -> Result<(), TrainError> {
        for (name, variable) in &self.variables {
            variable.set(&state.get(&format!("parameter.{name}"), variable.dims())?)?;
        }
        self.optimizer.restore(state.tensors(), steps[0])?;
        if let Some(average) = &mut self.average {
            average.restore(state.tensors(), steps[1])?;
        }
        Ok(())
    }

    /// The variables by name.
    #[cfg(test)]
    pub(in crate::train) fn variables(&self) -> &BTreeMap<String, Var> {
        &self.variables
    }
}

/// Whether a tensor is a running statistic of a batch norm: moved by what is seen, not by gradients.
pub(in crate::train) fn is_statistic(name: &str) -> bool {
    name.ends_with(".running_mean") || name.ends_with(".running_var")
}
