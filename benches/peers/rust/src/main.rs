//! Loads an ONNX file in tract or rten and times it on request: the crates' side of
//! `benches/peers/worker.py`, of the same protocol.
//!
//!     peers tract|rten MODEL INPUT THREADS
//!
//! INPUT holds the raw f32 values of one input `[1, 3, SIDE, SIDE]`. On start a line of JSON with the load
//! time and the first output; then for each line `run SECONDS` the run times, until the input ends; then the
//! peak memory.

use anyhow::{Context, Result, bail};
use rten_tensor::AsView;
use serde_json::json;
use std::io::BufRead;
use std::time::{Duration, Instant};
use tract_onnx::prelude::*;

type Run = Box<dyn FnMut() -> Result<Vec<f32>>>;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [runtime, model, input, threads] = arguments.as_slice() else {
        bail!("usage: peers tract|rten MODEL INPUT THREADS");
    };
    let bytes = std::fs::read(input).with_context(|| input.clone())?;
    let values: Vec<f32> =
        bytes.chunks_exact(4).map(|word| f32::from_le_bytes(word.try_into().unwrap_or_default())).collect();
    let side = (values.len() / 3).isqrt();
    let shape = [1, 3, side, side];

    let before = peak_memory_mb()?;
    let start = Instant::now();
    let mut run = match runtime.as_str() {
        "tract" => tract(model, &shape, values, threads.parse()?)?,
        "rten" => rten(model, &shape, values, threads.parse()?)?,
        other => bail!("{other} is not a runtime; use tract or rten"),
    };
    let output = run()?;
    println!("{}", json!({"load_ms": milliseconds(start), "output": output.get(..2)}));

    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let Some(seconds) = line.strip_prefix("run ") else { bail!("{line} is not a request") };
        let slice = Duration::from_secs_f64(seconds.parse()?);
        let mut times = Vec::new();
        let slice_start = Instant::now();
        while slice_start.elapsed() < slice || times.len() < 3 {
            let start = Instant::now();
            run()?;
            times.push(milliseconds(start));
        }
        println!("{}", json!({ "times_ms": times }));
    }
    println!("{}", json!({"peak_rss_mb": peak_memory_mb()? - before}));
    Ok(())
}

fn tract(model: &str, shape: &[usize], values: Vec<f32>, threads: usize) -> Result<Run> {
    if threads > 1 {
        tract_linalg::multithread::set_default_executor(tract_linalg::multithread::Executor::multithread(
            threads,
        ));
    }
    let model = tract_onnx::onnx().model_for_path(model)?.into_optimized()?.into_runnable()?;
    let input = Tensor::from_shape(shape, &values)?.into_tvalue();
    Ok(Box::new(move || {
        let outputs = model.run(tvec!(input.clone()))?;
        Ok(outputs[0].view().as_slice::<f32>()?.to_vec())
    }))
}

fn rten(model: &str, shape: &[usize], values: Vec<f32>, threads: usize) -> Result<Run> {
    let model = rten::Model::load_file(model)?;
    let input = rten_tensor::Tensor::from_data(shape, values);
    let pool = std::sync::Arc::new(rten::ThreadPool::with_num_threads(threads));
    let name = model.input_ids()[0];
    let outputs = model.output_ids().to_vec();
    Ok(Box::new(move || {
        let options = rten::RunOptions::default().with_thread_pool(Some(pool.clone()));
        let results = model.run(vec![(name, input.view().into())], &outputs, Some(options))?;
        let first: rten_tensor::Tensor<f32> = results.into_iter().next().context("no output")?.try_into()?;
        Ok(first.to_vec())
    }))
}

fn milliseconds(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e3
}

/// The most memory this process has had resident so far, in MB.
fn peak_memory_mb() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .context("the kernel does not tell VmHWM")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse::<f64>()? * 1024.0 / 1e6)
}
