//! Cost of recording a sample: CPU time in nanoseconds, for each stage and in total, and bytes on disk.
//! Stages process batches of a thousand samples, as workers submit them.
//!
//!     cargo bench -p saasbench --bench record

#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

mod traffic;

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput};
use saasbench_record::{
    batch::Batch,
    groups::Groups,
    sample::Sample,
    segment::{Growing, Names},
    tally::Tally,
};
use traffic::{Kind, Traffic};

const BATCH: usize = 1_000;
const SEGMENT: usize = 250;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut criterion = Criterion::default().configure_from_args().without_plots();
    for (name, kind) in [("plain", Kind::Plain), ("limited", Kind::Limited)] {
        measure(&mut criterion, name, kind)?;
    }
    criterion.final_summary();
    Ok(())
}

fn measure(criterion: &mut Criterion, name: &str, kind: Kind) -> Result<(), Box<dyn std::error::Error>> {
    let scenario = kind.scenario()?;
    let replicas = ["a".to_owned()];
    let names = Names::new(&scenario, &replicas);
    let samples: Vec<Sample> = Traffic::new(kind).take(BATCH * SEGMENT).collect();
    let batches: Vec<Batch> = samples.chunks(BATCH).map(|samples| samples.iter().collect()).collect();
    let dir = std::env::temp_dir().join(format!("saasbench-record-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let path = dir.join("000001.parquet");

    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(samples.len() as u64)).sample_size(20);
    let mut batch = Batch::with_capacity(BATCH);
    group.bench_function("push", |bencher| {
        bencher.iter(|| {
            for samples in samples.chunks(BATCH) {
                batch.clear();
                samples.iter().for_each(|sample| batch.push(black_box(sample)));
            }
        });
    });
    let mut tally = Tally::new(scenario.tenants.len());
    group.bench_function("tally", |bencher| {
        bencher.iter(|| batches.iter().for_each(|batch| tally.add(batch)));
    });
    let mut groups = Groups::new(&scenario, replicas.len());
    group.bench_function("groups", |bencher| {
        bencher.iter(|| batches.iter().for_each(|batch| groups.add(batch)));
    });
    group.bench_function("encode", |bencher| {
        bencher.iter_batched_ref(
            Growing::default,
            |segment| batches.iter().for_each(|batch| segment.add(batch)),
            BatchSize::PerIteration,
        );
    });
    let mut failure = None;
    let mut segment = Growing::default();
    group.bench_function("encode and write", |bencher| {
        bencher.iter(|| {
            batches.iter().for_each(|batch| segment.add(batch));
            failure = segment.write(&path, &names).err().or(failure.take());
        });
    });
    group.bench_function("read", |bencher| {
        bencher.iter(|| saasbench_record::segment::read(&path, &names).map(|(batch, _)| batch.len()));
    });
    group.finish();
    let bytes = std::fs::metadata(&path)?.len() as f64 / samples.len() as f64;
    println!("{name}: {bytes:.1} bytes a sample on disk\n");
    std::fs::remove_dir_all(&dir)?;
    failure.map_or(Ok(()), |error| Err(error.into()))
}
