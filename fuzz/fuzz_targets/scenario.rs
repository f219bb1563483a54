//! Parses any text as a scenario: nothing panics, and every problem's position lies within the text.

#![no_main]

use libfuzzer_sys::fuzz_target;
use saasbench_model::scenario::resolve::{Sources, resolve};

/// The files that a scenario can refer to: some exist, some do not.
fn read_file(path: &std::path::Path) -> std::io::Result<String> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("jsonl") => {
            Ok("{\"id\": \"acme\", \"name\": \"x\"}\n{\"id\": \"globex\", \"name\": \"y\"}\n".to_owned())
        }
        Some("csv") => Ok("id,name\nacme,x\nglobex,y\n".to_owned()),
        Some("json") => Ok("{\"a\": [1, 2]}".to_owned()),
        _ => Err(std::io::ErrorKind::NotFound.into()),
    }
}

fuzz_target!(|text: &str| {
    let environment = |name: &str| name.starts_with('A').then(|| "value".to_owned());
    let sources = Sources { read_file: &read_file, environment: Some(&environment) };
    let Err(problems) = resolve(text, "fuzz.toml", &sources) else { return };
    assert!(problems.iter().next().is_some());
    for problem in problems.iter() {
        for label in &problem.labels {
            let length = label.source.as_ref().map_or(text, |source| &source.text).len();
            assert!(label.span.start <= label.span.end && label.span.end <= length, "{label:?}");
        }
    }
    assert!(!problems.to_string().is_empty());
});
