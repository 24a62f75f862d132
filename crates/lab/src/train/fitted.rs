//! Weights that are being fitted: the variables, the optimiser's moments and a moving average, together in
//! and out of a checkpoint.

use super::optimizer::{Optimizer, OptimizerSettings, Parameter, WeightAverage};
use candle_core::Var;
use candle_core::backprop::GradStore;
use maskwatch::nn::weights::Weights;
use std::collections::BTreeMap;

/// The fitted tensors of a network.
pub(super) struct Fitted {
    variables: BTreeMap<String, Var>,
    optimizer: Optimizer,
    average: WeightAverage,
}

impl Fitted {
    /// Starts from the present values of `variables`. `factor` gives a variable's learning rate relative to
    /// the common one, `decay` is that of the moving average.
    ///
    /// # Errors
    /// A variable is not f32.
    pub(super) fn new(
        variables: BTreeMap<String, Var>,
        settings: OptimizerSettings,
        decay: f64,
        factor: impl Fn(&str, &Var) -> candle_core::Result<f64>,
    ) -> candle_core::Result<Self> {
        let parameters = variables.iter().map(|(name, variable)| {
            let rate_factor = factor(name, variable)?;
            Ok(Parameter { name: name.clone(), variable: variable.clone(), rate_factor })
        });
        let parameters = parameters.collect::<candle_core::Result<Vec<Parameter>>>()?;
        let average = WeightAverage::new(parameters.clone(), decay)?;
        Ok(Self { variables, optimizer: Optimizer::new(parameters, settings), average })
    }

    /// One step of the optimiser and of the average.
    ///
    /// # Errors
    /// A gradient has another shape than its variable.
    pub(super) fn step(&mut self, gradients: &GradStore, rate: f64) -> candle_core::Result<()> {
        self.optimizer.step(gradients, rate)?;
        self.average.update()
    }

    /// The moving average: what is measured and shipped.
    ///
    /// # Errors
    /// None in practice: the tensors are copies of the variables.
    pub(super) fn averaged(&mut self) -> candle_core::Result<Weights> {
        self.average.swap()?;
        let weights = self.weights();
        self.average.swap()?;
        weights
    }

    fn weights(&self) -> candle_core::Result<Weights> {
        let copy = |(name, variable): (&String, &Var)| Ok((name.clone(), variable.as_tensor().copy()?));
        let tensors: candle_core::Result<BTreeMap<_, _>> = self.variables.iter().map(copy).collect();
        Ok(Weights::new(tensors?, BTreeMap::new()))
    }

    /// Everything that a later run needs to go on from here; `plan` says how it is fitted.
    ///
    /// # Errors
    /// None in practice: the tensors are copies of the network's own.
    pub(super) fn state(&self, plan: &impl serde::Serialize) -> anyhow::Result<Weights> {
        let mut state = self.weights()?;
        for (name, tensor) in self.optimizer.state()?.into_iter().chain(self.average.state()?) {
            state.insert(name, tensor);
        }
        state.metadata = BTreeMap::from([
            ("plan".to_owned(), serde_json::to_string(plan)?),
            ("optimizer_steps".to_owned(), self.optimizer.steps().to_string()),
            ("average_steps".to_owned(), self.average.steps().to_string()),
        ]);
        Ok(state)
    }

    /// Goes on from a state of the same plan.
    ///
    /// # Errors
    /// The state is of another plan or network.
    pub(super) fn restore<P>(&mut self, state: &Weights, plan: &P) -> anyhow::Result<()>
    where
        P: serde::de::DeserializeOwned + PartialEq + std::fmt::Debug,
    {
        let theirs: Option<P> = state.metadata.get("plan").and_then(|text| serde_json::from_str(text).ok());
        anyhow::ensure!(
            theirs.as_ref() == Some(plan),
            "{} was made with {theirs:?}, not {plan:?}; give the same options or start anew in another folder",
            state.origin(),
        );
        for (name, variable) in &self.variables {
            variable.set(&state.get(name, variable.dims())?)?;
        }
        self.optimizer.restore(state.tensors(), state.number("optimizer_steps")?)?;
        self.average.restore(state.tensors(), state.number("average_steps")?)?;
        Ok(())
    }

    /// The variables by name.
    #[cfg(test)]
    pub(super) fn variables(&self) -> &BTreeMap<String, Var> {
        &self.variables
    }
}
