//! AdamW and SGD with exportable state. candle's own AdamW keeps the moments private, so that a run that uses
//! it cannot be saved and resumed, and its SGD has no momentum; here moments and step count can be exported
//! and restored. Also: the learning rate over time, and the moving average of weights.

use candle_core::backprop::GradStore;
use candle_core::{Device, Result, Tensor, Var};
use std::collections::BTreeMap;

/// A variable under optimisation.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// The name under which its state is exported.
    pub name: String,
    /// The variable itself, f32.
    pub variable: Var,
    /// Its learning rate is the common one times this.
    pub rate_factor: f64,
}

/// The rule by which gradients change parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub enum Rule {
    /// Adam with decoupled weight decay (Loshchilov & Hutter, arXiv:1711.05101).
    AdamW,
    /// Stochastic gradient descent with Nesterov's momentum (0.9) and decoupled weight decay.
    Sgd,
}

impl Rule {
    /// The names of what is kept per value from step to step.
    fn moments(self) -> &'static [&'static str] {
        match self {
            Self::AdamW => &["first", "second"],
            Self::Sgd => &["first"],
        }
    }
}

/// Settings of an [`Optimizer`] that stay the same over a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OptimizerSettings {
    /// The rule by which gradients change parameters.
    pub rule: Rule,
    /// AdamW: decay of the gradient's moving average.
    pub beta1: f64,
    /// AdamW: decay of the squared gradient's moving average.
    pub beta2: f64,
    /// AdamW: keeps the division finite.
    pub epsilon: f64,
    /// SGD: share of the velocity that is left at the next step; 0 for plain gradient descent.
    pub momentum: f64,
    /// Decoupled weight decay, times the learning rate; only on tensors of two or more dimensions (weights,
    /// not biases and not the scales of batch-norms).
    pub weight_decay: f64,
    /// Gradients longer than this together are shortened to it (L2 norm over all parameters).
    pub clip: Option<f64>,
}

impl OptimizerSettings {
    /// The usual settings, without clipping.
    #[must_use]
    pub fn new(rule: Rule) -> Self {
        Self { rule, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, momentum: 0.9, weight_decay: 0.01, clip: None }
    }
}

/// Changes parameters by their gradients, step by step.
#[derive(Debug)]
pub struct Optimizer {
    settings: OptimizerSettings,
    slots: Vec<ParameterSlot>,
    steps: u64,
}

#[derive(Debug)]
struct ParameterSlot {
    parameter: Parameter,
    /// As many as the rule names; SGD leaves the second one empty.
    moments: [Vec<f32>; 2],
}

impl Optimizer {
    /// An optimiser over the given parameters, its moments at zero.
    #[must_use]
    pub fn new(parameters: Vec<Parameter>, settings: OptimizerSettings) -> Self {
        let kept = settings.rule.moments().len();
        let slots = parameters.into_iter().map(|parameter| {
            let count = parameter.variable.elem_count();
            let moments = [0, 1].map(|moment| vec![0.0; if moment < kept { count } else { 0 }]);
            ParameterSlot { parameter, moments }
        });
        Self { settings, slots: slots.collect(), steps: 0 }
    }

    /// The parameters, in the order given.
    pub fn parameters(&self) -> impl Iterator<Item = &Parameter> {
        self.slots.iter().map(|slot| &slot.parameter)
    }

    /// Changes every parameter that has a gradient, and returns the gradients' common L2 norm before
    /// clipping.
    ///
    /// # Errors
    /// A gradient's shape or type is not its parameter's.
    pub fn step(&mut self, gradients: &GradStore, learning_rate: f64) -> Result<f64> {
        self.steps += 1;
        let mut values = Vec::with_capacity(self.slots.len());
        for slot in &self.slots {
            values.push(match gradients.get(&slot.parameter.variable) {
                Some(gradient) => Some(gradient.flatten_all()?.to_vec1::<f32>()?),
                None => None,
            });
        }
        let square = |gradient: &Vec<f32>| gradient.iter().map(|&g| f64::from(g) * f64::from(g)).sum::<f64>();
        let norm = values.iter().flatten().map(square).sum::<f64>().sqrt();
        let factor = match self.settings.clip {
            Some(longest) if norm > longest => longest / norm,
            _ => 1.0,
        };
        let OptimizerSettings { rule, beta1, beta2, epsilon, momentum, weight_decay, .. } = self.settings;
        let exponent = self.steps.min(i32::MAX as u64) as i32;
        let (correct1, correct2) = (1.0 - beta1.powi(exponent), 1.0 - beta2.powi(exponent));
        for (slot, gradient) in self.slots.iter_mut().zip(values) {
            let Some(gradient) = gradient else { continue };
            let variable = &slot.parameter.variable;
            let rate = learning_rate * slot.parameter.rate_factor;
            let keep = if variable.rank() >= 2 { (1.0 - rate * weight_decay) as f32 } else { 1.0 };
            let gradient = gradient.into_iter().map(|gradient| gradient * factor as f32);
            let mut theta = variable.flatten_all()?.to_vec1::<f32>()?;
            let [first, second] = &mut slot.moments;
            match rule {
                Rule::AdamW => {
                    let step_size = (rate / correct1) as f32;
                    let (beta1, new1) = (beta1 as f32, (1.0 - beta1) as f32);
                    let (beta2, new2) = (beta2 as f32, (1.0 - beta2) as f32);
                    let (scale, epsilon) = ((1.0 / correct2.sqrt()) as f32, epsilon as f32);
                    let moments = first.iter_mut().zip(second);
                    for ((theta, (first, second)), gradient) in theta.iter_mut().zip(moments).zip(gradient) {
                        *first = beta1 * *first + new1 * gradient;
                        *second = beta2 * *second + new2 * gradient * gradient;
                        *theta = keep * *theta - step_size * *first / (second.sqrt() * scale + epsilon);
                    }
                }
                Rule::Sgd => {
                    let (rate, momentum) = (rate as f32, momentum as f32);
                    for ((theta, velocity), gradient) in theta.iter_mut().zip(first).zip(gradient) {
                        *velocity = momentum * *velocity + gradient;
                        *theta = keep * *theta - rate * (gradient + momentum * *velocity);
                    }
                }
            }
            variable.set(&Tensor::from_vec(theta, variable.shape(), variable.device())?)?;
        }
        Ok(norm)
    }

    /// How many steps were taken.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The moments as tensors `first.NAME` and, for AdamW, `second.NAME`, shaped like their parameters.
    ///
    /// # Errors
    /// None in practice: the tensors are made from vectors of their own length.
    pub fn state(&self) -> Result<BTreeMap<String, Tensor>> {
        let mut state = BTreeMap::new();
        for ParameterSlot { parameter, moments } in &self.slots {
            for (moment, values) in self.settings.rule.moments().iter().zip(moments) {
                let tensor = Tensor::from_slice(values, parameter.variable.shape(), &Device::Cpu)?;
                state.insert(format!("{moment}.{}", parameter.name), tensor);
            }
        }
        Ok(state)
    }

    /// Restores what [`Optimizer::state`] and [`Optimizer::steps`] returned.
    ///
    /// # Errors
    /// A moment is missing, or its shape is not its parameter's.
    pub fn restore(&mut self, state: &BTreeMap<String, Tensor>, steps: u64) -> Result<()> {
        for slot in &mut self.slots {
            for (moment, values) in self.settings.rule.moments().iter().zip(&mut slot.moments) {
                *values =
                    named(state, &format!("{moment}.{}", slot.parameter.name), &slot.parameter.variable)?;
            }
        }
        self.steps = steps;
        Ok(())
    }
}

/// Exponential moving average of weights, a little better and much steadier than the last ones.
///
/// The decay grows with the steps taken, `min(decay, (1 + n) / (10 + n))`, so that short runs are not held
/// back by their starting weights.
#[derive(Debug)]
pub struct WeightAverage {
    decay: f64,
    steps: u64,
    averages: Vec<(Parameter, Vec<f32>)>,
}

impl WeightAverage {
    /// Starts at the parameters' present values.
    ///
    /// # Errors
    /// A parameter is not f32.
    pub fn new(parameters: Vec<Parameter>, decay: f64) -> Result<Self> {
        let start = |parameter: Parameter| {
            let values = parameter.variable.flatten_all()?.to_vec1::<f32>()?;
            Ok((parameter, values))
        };
        Ok(Self { decay, steps: 0, averages: parameters.into_iter().map(start).collect::<Result<_>>()? })
    }

    /// Moves the average towards the parameters' present values; to be called after each step of the
    /// optimiser.
    ///
    /// # Errors
    /// A parameter is not f32.
    pub fn update(&mut self) -> Result<()> {
        let decay = self.decay.min((1 + self.steps) as f64 / (10 + self.steps) as f64) as f32;
        self.steps += 1;
        for (parameter, average) in &mut self.averages {
            let present = parameter.variable.flatten_all()?.to_vec1::<f32>()?;
            for (average, present) in average.iter_mut().zip(present) {
                *average += (1.0 - decay) * (present - *average);
            }
        }
        Ok(())
    }

    /// Exchanges the average with the parameters' values; a second call exchanges them back.
    ///
    /// # Errors
    /// A parameter is not f32.
    pub fn swap(&mut self) -> Result<()> {
        for (parameter, average) in &mut self.averages {
            let variable = &parameter.variable;
            let present = variable.flatten_all()?.to_vec1::<f32>()?;
            let average = std::mem::replace(average, present);
            variable.set(&Tensor::from_vec(average, variable.shape(), variable.device())?)?;
        }
        Ok(())
    }

    /// How many updates went into the average.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The averages as tensors `average.NAME`.
    ///
    /// # Errors
    /// None in practice: the tensors are made from vectors of their own length.
    pub fn state(&self) -> Result<BTreeMap<String, Tensor>> {
        let tensor = |(parameter, average): &(Parameter, Vec<f32>)| {
            let values = Tensor::from_slice(average, parameter.variable.shape(), &Device::Cpu)?;
            Ok((format!("average.{}", parameter.name), values))
        };
        self.averages.iter().map(tensor).collect()
    }

    /// Restores what [`WeightAverage::state`] and [`WeightAverage::steps`] returned.
    ///
    /// # Errors
    /// An average is missing, or its shape is not its parameter's.
    pub fn restore(&mut self, state: &BTreeMap<String, Tensor>, steps: u64) -> Result<()> {
        for (parameter, average) in &mut self.averages {
            *average = named(state, &format!("average.{}", parameter.name), &parameter.variable)?;
        }
        self.steps = steps;
        Ok(())
    }
}

fn named(state: &BTreeMap<String, Tensor>, name: &str, like: &Var) -> Result<Vec<f32>> {
    let Some(tensor) = state.get(name) else { candle_core::bail!("the tensor {name} is missing") };
    if tensor.shape() != like.shape() {
        candle_core::bail!("the tensor {name} is {:?}, not {:?}", tensor.shape(), like.shape());
    }
    tensor.flatten_all()?.to_vec1()
}

/// The learning rate at one of `steps` steps (counted from 0): a straight rise over the first `warm_up`, then
/// half a cosine wave down to 0.
#[must_use]
pub fn learning_rate(step: u64, steps: u64, warm_up: u64, peak: f64) -> f64 {
    if step < warm_up {
        return peak * (step + 1) as f64 / warm_up as f64;
    }
    let done = (step - warm_up) as f64 / steps.saturating_sub(warm_up).max(1) as f64;
    peak * 0.5 * (1.0 + (std::f64::consts::PI * done.min(1.0)).cos())
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_nn::{Optimizer as _, ParamsAdamW};

    fn variable(values: &[f32]) -> Var {
        Var::from_slice(values, (values.len(), 1), &Device::Cpu).unwrap()
    }

    fn parameter(name: &str, variable: &Var) -> Parameter {
        Parameter { name: name.into(), variable: variable.clone(), rate_factor: 1.0 }
    }

    fn values(variable: &Var) -> Vec<f32> {
        variable.flatten_all().unwrap().to_vec1().unwrap()
    }

    /// A bowl that is not round: sum of (i + 1) · (v − 1)².
    fn gradients(variable: &Var) -> GradStore {
        let count = variable.elem_count();
        let weights: Vec<f32> = (1..=count).map(|i| i as f32).collect();
        let weights = Tensor::from_vec(weights, variable.shape(), &Device::Cpu).unwrap();
        let loss = ((variable.as_tensor() - 1.0).unwrap().sqr().unwrap() * weights).unwrap();
        loss.sum_all().unwrap().backward().unwrap()
    }

    /// Twenty steps with each of two optimisers; both must have come to the same values.
    fn same_way(
        settings: OptimizerSettings,
        rate: f64,
        mut theirs: impl FnMut(&Var) -> Box<dyn FnMut(&GradStore)>,
    ) {
        let (our_variable, their_variable) = (variable(&[3.0, -2.0, 0.5]), variable(&[3.0, -2.0, 0.5]));
        let mut ours = Optimizer::new(vec![parameter("v", &our_variable)], settings);
        let mut theirs = theirs(&their_variable);
        for _ in 0..20 {
            ours.step(&gradients(&our_variable), rate).unwrap();
            theirs(&gradients(&their_variable));
        }
        assert_ne!(values(&our_variable)[0], 3.0);
        for (ours, theirs) in values(&our_variable).iter().zip(values(&their_variable)) {
            assert!((ours - theirs).abs() < 1e-5, "{ours} {theirs}");
        }
    }

    #[test]
    fn steps_as_candle_does() {
        same_way(OptimizerSettings::new(Rule::AdamW), 0.1, |variable| {
            let settings = ParamsAdamW { lr: 0.1, ..Default::default() };
            let mut theirs = candle_nn::AdamW::new(vec![variable.clone()], settings).unwrap();
            Box::new(move |gradients| theirs.step(gradients).unwrap())
        });
        let plain =
            OptimizerSettings { momentum: 0.0, weight_decay: 0.0, ..OptimizerSettings::new(Rule::Sgd) };
        same_way(plain, 0.05, |variable| {
            let mut theirs = candle_nn::SGD::new(vec![variable.clone()], 0.05).unwrap();
            Box::new(move |gradients| theirs.step(gradients).unwrap())
        });
    }

    #[test]
    fn momentum_looks_ahead_and_weights_decay() {
        let variable = variable(&[2.0]);
        let mut slow = parameter("v", &variable);
        slow.rate_factor = 0.5;
        let settings =
            OptimizerSettings { weight_decay: 0.2, clip: Some(3.0), ..OptimizerSettings::new(Rule::Sgd) };
        let mut optimizer = Optimizer::new(vec![slow], settings);
        // The gradient is 2 · (v − 1); a step goes a tenth of it and of nine tenths of the velocity, which
        // has it already.
        optimizer.step(&gradients(&variable), 0.2).unwrap();
        let first = 2.0 * (1.0 - 0.1 * 0.2) - 0.1 * (2.0 + 0.9 * 2.0);
        assert!((values(&variable)[0] - first).abs() < 1e-6, "{first}");
        optimizer.step(&gradients(&variable), 0.2).unwrap();
        let gradient = 2.0 * (first - 1.0);
        let second = first * (1.0 - 0.1 * 0.2) - 0.1 * (gradient + 0.9 * (0.9 * 2.0 + gradient));
        assert!((values(&variable)[0] - second).abs() < 1e-6, "{second}");
    }

    #[test]
    fn takes_up_where_it_was_left() {
        let run = |rule: Rule, stop_at: Option<usize>| {
            let variable = variable(&[3.0, -2.0]);
            let parameters = || vec![parameter("v", &variable)];
            let mut optimizer = Optimizer::new(parameters(), OptimizerSettings::new(rule));
            let mut average = WeightAverage::new(parameters(), 0.9).unwrap();
            for step in 0..10 {
                if stop_at == Some(step) {
                    let mut state = optimizer.state().unwrap();
                    let moments: Vec<_> = state.keys().cloned().collect();
                    assert_eq!(moments, ["first.v", "second.v"][..if rule == Rule::Sgd { 1 } else { 2 }]);
                    state.extend(average.state().unwrap());
                    let steps = (optimizer.steps(), average.steps());
                    optimizer = Optimizer::new(parameters(), OptimizerSettings::new(rule));
                    average = WeightAverage::new(parameters(), 0.9).unwrap();
                    optimizer.restore(&state, steps.0).unwrap();
                    average.restore(&state, steps.1).unwrap();
                }
                optimizer.step(&gradients(&variable), 0.05).unwrap();
                average.update().unwrap();
            }
            let last = values(&variable);
            average.swap().unwrap();
            (last, values(&variable))
        };
        for rule in [Rule::AdamW, Rule::Sgd] {
            assert_eq!(run(rule, None), run(rule, Some(6)), "{rule:?}");
        }
    }

    #[test]
    fn averages_lie_between_and_swap_back() {
        let variable = variable(&[0.0]);
        let mut average = WeightAverage::new(vec![parameter("v", &variable)], 0.5).unwrap();
        for value in [1.0f32, 2.0, 3.0] {
            variable.set(&Tensor::from_slice(&[value], (1, 1), &Device::Cpu).unwrap()).unwrap();
            average.update().unwrap();
        }
        average.swap().unwrap();
        let between = values(&variable)[0];
        assert!(between > 1.0 && between < 3.0, "{between}");
        average.swap().unwrap();
        assert_eq!(values(&variable), [3.0]);
    }

    #[test]
    fn clips_and_reports_the_norm() {
        let variable = variable(&[101.0]);
        let settings = OptimizerSettings { clip: Some(2.0), ..OptimizerSettings::new(Rule::AdamW) };
        let mut optimizer = Optimizer::new(vec![parameter("v", &variable)], settings);
        assert!((optimizer.step(&gradients(&variable), 0.1).unwrap() - 200.0).abs() < 1e-3);
        let first = optimizer.state().unwrap()["first.v"].flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert!((first[0] - 0.2).abs() < 1e-5, "the clipped gradient is 2, a tenth of it is kept: {first:?}");
    }

    #[test]
    fn refuses_the_state_of_another_network() {
        let mut optimizer =
            Optimizer::new(vec![parameter("v", &variable(&[1.0]))], OptimizerSettings::new(Rule::AdamW));
        assert!(
            optimizer.restore(&BTreeMap::new(), 1).unwrap_err().to_string().contains("first.v is missing")
        );
        let other =
            Optimizer::new(vec![parameter("v", &variable(&[1.0, 2.0]))], OptimizerSettings::new(Rule::AdamW));
        assert!(optimizer.restore(&other.state().unwrap(), 1).is_err());
    }

    #[test]
    fn the_rate_rises_then_falls_to_nothing() {
        let rates: Vec<f64> = (0..100).map(|step| learning_rate(step, 100, 10, 0.5)).collect();
        assert!((rates[0] - 0.05).abs() < 1e-12 && (rates[9] - 0.5).abs() < 1e-12);
        assert!(rates[..10].is_sorted() && rates[10..].iter().rev().is_sorted());
        assert!(rates[99] < 0.001 && learning_rate(5, 5, 5, 1.0) >= 0.0);
    }
}
