//! Simulated services that scale by a known law, measured with a known error.

use super::*;

/// SplitMix64, in [0, 1).
fn uniform(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

/// A standard normal, by Box and Muller.
fn normal(state: &mut u64) -> f64 {
    let (u, v) = (1.0 - uniform(state), uniform(state));
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

fn truth(sigma: f64, kappa: f64, replicas: u32) -> f64 {
    let n = f64::from(replicas);
    1000.0 * n / (1.0 + sigma * (n - 1.0) + kappa * n * (n - 1.0))
}

/// The law's throughput at each number of replicas, measured `repeats` times with an error of about 3 %.
fn measured(sigma: f64, kappa: f64, counts: &[u32], repeats: u32, seed: u64, known: bool) -> Vec<Point> {
    let mut state = seed;
    let repeated = counts.iter().flat_map(|&count| (0..repeats).map(move |_| count));
    repeated
        .map(|replicas| Point {
            replicas,
            throughput: truth(sigma, kappa, replicas) * (0.03 * normal(&mut state)).exp(),
            deviation: known.then_some(0.03),
        })
        .collect()
}

#[test]
fn the_law_is_recovered_from_exact_points() {
    for (sigma, kappa) in [(0.0, 0.0), (0.05, 0.0), (0.1, 0.02), (0.0, 0.01), (1.0, 0.0)] {
        let counts = [1, 2, 4, 8];
        let points: Vec<Point> = counts
            .iter()
            .map(|&replicas| Point { replicas, throughput: truth(sigma, kappa, replicas), deviation: None })
            .collect();
        let fit = fit(&points).unwrap();
        assert!((fit.sigma().value - sigma).abs() < 1e-4, "{sigma} {kappa}: {:?}", fit.sigma());
        assert!((fit.kappa().value - kappa).abs() < 1e-4, "{sigma} {kappa}: {:?}", fit.kappa());
        assert!((fit.lambda().value - 1000.0).abs() < 0.5, "{:?}", fit.lambda());
        assert!((fit.throughput(16).value / truth(sigma, kappa, 16) - 1.0).abs() < 5e-3);
    }
}

#[test]
fn more_replicas_help_up_to_the_peak() {
    let points = measured(0.05, 0.02, &[1, 2, 4, 8], 5, 7, false);
    let fit = fit(&points).unwrap();
    assert!(fit.peak().covers((0.95_f64 / 0.02).sqrt()), "{:?}", fit.peak());
    assert!(fit.gain(2).low > 0.0, "{:?}", fit.gain(2));
    assert!(fit.gain(11).high < 0.0, "{:?}", fit.gain(11));
}

#[test]
fn too_few_points_are_an_error() {
    let reported = |points: &[Point]| fit(points).unwrap_err().to_string();
    insta::assert_snapshot!(
        [
            reported(&measured(0.1, 0.0, &[1, 2], 5, 1, false)),
            reported(&measured(0.1, 0.0, &[1, 2, 4], 1, 1, false)),
        ]
        .join("\n"),
        @r"
        the Universal Scalability Law needs the capacity of at least 3 numbers of replicas, and 2 are known
        how uncertain the capacities are is not known: measure some number of replicas more than once
        "
    );
}

/// For how many of 100 seeds the intervals cover λ, σ, κ, the next replica's throughput, and its gain.
fn coverage(sigma: f64, kappa: f64, counts: &[u32], repeats: u32, known: bool) -> [usize; 5] {
    let mut covered = [0; 5];
    let next = counts.iter().max().unwrap() + 1;
    for seed in 0..100 {
        let fit = fit(&measured(sigma, kappa, counts, repeats, 1000 + seed, known)).unwrap();
        let gain = truth(sigma, kappa, next) - truth(sigma, kappa, next - 1);
        let hits = [
            fit.lambda().covers(1000.0),
            fit.sigma().covers(sigma),
            fit.kappa().covers(kappa),
            fit.throughput(next).covers(truth(sigma, kappa, next)),
            fit.gain(next - 1).covers(gain),
        ];
        for (count, hit) in covered.iter_mut().zip(hits) {
            *count += usize::from(hit);
        }
    }
    covered
}

#[test]
fn intervals_have_their_nominal_coverage() {
    let mut text = String::new();
    for (sigma, kappa, counts, repeats, known) in [
        (0.0, 0.0, &[1, 2, 4][..], 5, false),
        (0.05, 0.01, &[1, 2, 4, 8], 3, false),
        (0.2, 0.02, &[1, 2, 4], 5, false),
        (0.05, 0.01, &[1, 2, 4], 1, true),
    ] {
        let covered = coverage(sigma, kappa, counts, repeats, known);
        text += &format!("σ {sigma} κ {kappa} {counts:?} × {repeats}: {covered:?}\n");
        assert!(covered[..3].iter().all(|count| *count >= 90), "the parameters: {text}");
        // Where the truth lies on the border of the parameters' range (no contention), predictions miss it
        // slightly more often.
        assert!(covered[3..].iter().all(|count| *count >= 88), "the predictions: {text}");
    }
    insta::assert_snapshot!(text);
}
