//! YuNet → the tensors of a detector. The four parts of a level's head become one unit of 16 channels.

use super::choices::Choices;
use super::coding::{picture, read_by};
use super::ranges::{Observations, ObservedMap, Quantization, least_unsigned};
use super::rounding::{Reads, RealLayer, quantize};
use maskwatch::nn::convolution::Convolution;
use maskwatch::nn::int8::file::Draft;
use maskwatch::nn::int8::yunet::{BACKBONE, LEVELS};
use maskwatch::nn::weights::Weights;
use maskwatch::nn::yunet::YuNet;
use maskwatch::nn::{Mode, NetworkError};
use std::collections::BTreeMap;

/// A map's name among the observations, and how its values are coded.
type Coded = (String, Quantization);

struct Quantizer<'a> {
    /// What the file calls the network.
    network: &'a str,
    draft: &'a mut Draft,
    convolutions: BTreeMap<String, &'a Convolution>,
    seen: &'a Observations,
    choices: &'a Choices,
}

impl Quantizer<'_> {
    fn layer(&self, name: &str) -> Result<RealLayer, NetworkError> {
        RealLayer::of(self.convolutions[name])
    }

    fn reads(&self, (name, coding): &Coded) -> Reads {
        let seen = self.seen.get(name);
        Reads { coding: coding.clone(), means: seen.means(), mean_squares: seen.mean_squares() }
    }

    /// How the map `name`, from 0 on, is coded: for the one layer that reads it, or with one scale where
    /// there are several.
    fn coding(&self, name: &str, reader: Option<&RealLayer>) -> Quantization {
        let seen = self.seen.get(name);
        let ranges = seen.ranges(self.choices.quantile);
        match reader {
            Some(layer) => {
                let scale = read_by(layer, &least_unsigned(&ranges), &seen.mean_squares());
                Quantization { scale, zero_point: 0 }
            }
            None => self.choices.unsigned_map(&ranges),
        }
    }

    /// 1×1 and depthwise convolution of the unit that the file calls `source`; gives the map that it writes,
    /// which `reader` reads.
    fn unit(
        &mut self,
        source: &str,
        name: &str,
        input: &Coded,
        reader: Option<&RealLayer>,
    ) -> Result<Coded, NetworkError> {
        let (first, second) = (format!("{source}.conv1"), format!("{source}.conv2"));
        let between = Quantization::signed_per_channel(&self.seen.get(&first).ranges(self.choices.quantile));
        let (values, requantization) = quantize(&self.layer(&first)?, &self.reads(input), &between);
        self.draft.layer(&format!("{}.{name}.pointwise", self.network), &values, &requantization);
        let output = self.coding(&second, reader);
        let (values, requantization) =
            quantize(&self.layer(&second)?, &self.reads(&(first, between)), &output);
        self.draft.layer(&format!("{}.{name}.depthwise", self.network), &values, &requantization);
        Ok((second, output))
    }

    /// One layer of all parts of a level's head, their outputs one after the other.
    fn joined(&self, level: usize, layer: &str) -> Result<RealLayer, NetworkError> {
        let names = part_names(level);
        let layers: Vec<RealLayer> =
            names.iter().map(|name| self.layer(&format!("{name}.{layer}"))).collect::<Result<_, _>>()?;
        Ok(RealLayer {
            sums: layers[0].sums,
            weights: layers.iter().flat_map(|layer| layer.weights.clone()).collect(),
            bias: layers.iter().flat_map(|layer| layer.bias.clone()).collect(),
        })
    }

    /// The parts of a level's head, with real numbers as results.
    fn parts(&mut self, level: usize, input: &Coded) -> Result<(), NetworkError> {
        let maps: Vec<ObservedMap> =
            part_names(level).iter().map(|name| self.seen.get(&format!("{name}.conv1"))).collect();
        let seen = ObservedMap::beside(&maps);
        let between = Quantization::signed_per_channel(&seen.ranges(self.choices.quantile));
        let (values, requantization) = quantize(&self.joined(level, "conv1")?, &self.reads(input), &between);
        let name = format!("{}.head.{level}", self.network);
        let reads = Reads { coding: between, means: seen.means(), mean_squares: seen.mean_squares() };
        let real = Quantization { scale: vec![1.0; reads.means.len()], zero_point: 0 };
        let (filters, result) = quantize(&self.joined(level, "conv2")?, &reads, &real);
        self.draft.layer(&format!("{name}.pointwise"), &values, &requantization);
        self.draft.layer(&format!("{name}.depthwise"), &filters, &result);
        Ok(())
    }
}

fn part_names(level: usize) -> [String; 4] {
    ["cls", "obj", "bbox", "kps"].map(|part| format!("head.multi_level_{part}.{level}"))
}

/// Quantizes the detector `weights` as the tensors `{file_name}.*`, by what was `seen` of its maps.
///
/// # Errors
/// When the weights are of another network.
pub fn add(
    draft: &mut Draft,
    (file_name, weights): (&str, &Weights),
    seen: &Observations,
    choices: &Choices,
) -> Result<(), NetworkError> {
    let network = YuNet::new(weights, Mode::Inference)?;
    let convolutions = network.convolutions().collect();
    let mut quantizer = Quantizer { network: file_name, draft, convolutions, seen, choices };

    // The network was trained on BGR, pictures come as RGB; its padding is black.
    let name = "backbone.model0.conv1";
    let mut layer = quantizer.layer(name)?;
    for row in &mut layer.weights {
        row.chunks_exact_mut(3).for_each(<[f32]>::reverse);
    }
    let first_reader = quantizer.layer(&format!("backbone.{}.conv1", BACKBONE[0].0))?;
    let coding = quantizer.coding(name, Some(&first_reader));
    let (values, requantization) = quantize(&layer, &picture(), &coding);
    let stem = format!("{file_name}.stem");
    quantizer.draft.layer(&stem, &values, &requantization);
    quantizer.draft.reals(&format!("{stem}.padding"), &[3], &[0.0; 3]);

    let mut map = (name.to_owned(), coding);
    let mut levels = Vec::new();
    for (index, (unit, ..)) in BACKBONE.into_iter().enumerate() {
        // The neck adds the maps of the levels up: these have one scale.
        let is_level = LEVELS.contains(&unit);
        let next = BACKBONE.get(index + 1).filter(|_| !is_level);
        let reader = next.map(|(next, ..)| quantizer.layer(&format!("backbone.{next}.conv1"))).transpose()?;
        map = quantizer.unit(&format!("backbone.{unit}"), unit, &map, reader.as_ref())?;
        if is_level {
            levels.push(map.clone());
        }
    }
    let mut above: Option<Coded> = None;
    for level in [2, 1, 0] {
        let mut input = levels[level].clone();
        if let Some((_, half)) = above {
            let name = format!("neck.sum.{level}");
            let sum = choices.per_tensor(&seen.get(&name).ranges(choices.quantile));
            let multipliers = [input.1.scale[0] / sum.scale[0], half.scale[0] / sum.scale[0]];
            let key = format!("{file_name}.sum.{level}");
            quantizer.draft.reals(&format!("{key}.multipliers"), &[2], &multipliers);
            for (index, zero_point) in
                [input.1.zero_point, half.zero_point, sum.zero_point].into_iter().enumerate()
            {
                quantizer.draft.byte(&format!("{key}.zero_point.{index}"), zero_point);
            }
            input = (name, sum);
        }
        let source = format!("neck.lateral_convs.{level}");
        let lateral = quantizer.unit(&source, &format!("lateral.{level}"), &input, None)?;
        let source = format!("head.multi_level_share_convs.{level}.0");
        let parts = quantizer.joined(level, "conv1")?;
        let shared = quantizer.unit(&source, &format!("shared.{level}"), &lateral, Some(&parts))?;
        quantizer.parts(level, &shared)?;
        above = Some(lateral);
    }
    Ok(())
}
