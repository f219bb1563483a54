//! Time to render a request: a GET without variables, and a chat with tenant, session and number.
//!
//!     cargo bench -p saasbench --bench templates

use std::{collections::BTreeMap, hint::black_box, io, path::Path};

use criterion::{Criterion, criterion_group, criterion_main};
use saasbench_engine::{
    exchange::Request,
    render::{Origin, Renderer, Values},
};
use saasbench_model::scenario::resolve::{Sources, resolve};

const SCENARIO: &str = r#"
version = 1
[[tenant]]
id = "acme"
[[journey]]
name = "chat"
[[journey.start]]
get = "/"
save = { sid = "/session_id" }
[[journey.step]]
post = "/chat"
headers = { X-Tenant-ID = "${tenant}", X-Session-ID = "${sid}" }
json = { tenant_id = "${tenant}", session_id = "${sid}", message = "msg-${n}" }
[[load]]
users = 1
duration = "1s"
"#;

fn templates(criterion: &mut Criterion) {
    let read_file = |_: &Path| Err(io::Error::from(io::ErrorKind::NotFound));
    let scenario = resolve(SCENARIO, "bench.toml", &Sources { read_file: &read_file, environment: None })
        .unwrap_or_else(|problems| unreachable!("{problems}"));
    let origin = Origin { authority: "127.0.0.1:8005".to_owned(), prefix: String::new() };
    let renderer = Renderer::new(&scenario, &[origin], &BTreeMap::new(), false);
    let saved = [Some("Yh-EWuPAL5BbCBh8kxKmAmFjbWU".to_owned())];
    let values = Values {
        tenant: &scenario.tenants[0],
        user: 7,
        iteration: 12_345,
        canary: None,
        load: 0,
        saved: &saved,
        cookies: None,
    };
    let mut group = criterion.benchmark_group("render");
    for (step, name) in ["get", "chat"].into_iter().enumerate() {
        let (mut body, mut request) = (Vec::new(), Request::default());
        let mut render = || renderer.render(step, 0, &values, &mut body, &mut request).is_ok();
        assert!(render());
        group.bench_function(name, |bencher| bencher.iter(|| black_box(render())));
    }
    group.finish();
}

criterion_group!(benches, templates);
criterion_main!(benches);
