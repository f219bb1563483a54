//! The container stack, as far as it can be tested without containers: its files are consistent with each
//! other and with the environment `compose` of `saasbench.toml`.

use std::{collections::BTreeMap, fs, path::PathBuf};

use serde_yaml_ng::Value;

fn file(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn yaml(name: &str) -> Value {
    let mut value: Value =
        serde_yaml_ng::from_str(&file(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    value.apply_merge().unwrap();
    value
}

/// The services of the stack by name.
fn services() -> BTreeMap<String, Value> {
    serde_yaml_ng::from_value(yaml("compose/docker-compose.yml")["services"].clone()).unwrap()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_sequence().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// Published ports as `(address of this machine, port of the container)`.
fn ports(service: &Value) -> Vec<(String, String)> {
    let pairs = texts(&service["ports"]).into_iter();
    pairs.map(|pair| pair.rsplit_once(':').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap()).collect()
}

#[test]
fn matches_the_shipped_environment_file() {
    let config: toml::Table = toml::from_str(&file("saasbench.toml")).unwrap();
    let environment = &config["environment"]["compose"];
    let services = services();
    let mut instances = Vec::new();
    for (name, url) in environment["replicas"].as_table().unwrap() {
        let [(address, port)] = &ports(&services[name])[..] else { panic!("{name} has one port") };
        assert_eq!(url.as_str().unwrap(), format!("http://{address}"));
        assert_eq!(environment["instances"][name].as_str().unwrap(), format!("{name}:{port}"));
        let listen = services[name]["environment"]["TENANCY_LISTEN"].as_str().unwrap();
        assert_eq!(listen, format!("0.0.0.0:{port}"));
        instances.push(format!("{name}:{port}"));
    }
    let [(address, _)] = &ports(&services["prometheus"])[..] else { panic!("Prometheus has one port") };
    assert_eq!(environment["prometheus"].as_str().unwrap(), format!("http://{address}"));

    let jobs = yaml("compose/prometheus/prometheus.yml");
    let targets = |name: &str| {
        let job = jobs["scrape_configs"].as_sequence().unwrap().iter().find(|job| job["job_name"] == name);
        texts(&job.unwrap()["static_configs"][0]["targets"])
    };
    assert_eq!(targets("api"), instances);
    assert_eq!(targets("redis"), ["redis-exporter:9121"]);
    let known = &services["prometheus"]["extra_hosts"];
    let self_metrics = &targets("saasbench")[0];
    assert!(texts(known)[0].starts_with(self_metrics.split(':').next().unwrap()), "{self_metrics}");
}

#[test]
fn services_are_pinned_local_and_have_health_checks() {
    let expected = [
        ("alertmanager", "9093"),
        ("api1", "8005"),
        ("api2", "8006"),
        ("grafana", "3000"),
        ("prometheus", "9090"),
        ("redis", ""),
        ("redis-exporter", "9121"),
    ];
    let services = services();
    assert_eq!(
        services.keys().collect::<Vec<_>>(),
        expected.map(|(name, _)| name).iter().collect::<Vec<_>>()
    );
    for (name, port) in expected {
        let service = &services[name];
        let published: Vec<String> = ports(service).into_iter().map(|(address, _)| address).collect();
        let wanted = (!port.is_empty()).then(|| format!("127.0.0.1:{port}"));
        assert_eq!(published, Vec::from_iter(wanted), "{name}");
        assert_eq!(service["healthcheck"]["test"][0], "CMD", "{name}");
        assert_eq!(service["restart"], "unless-stopped", "{name}");
        let image = service["image"].as_str().unwrap();
        let tag = image.split_once(':').unwrap().1;
        let is_version = tag.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit());
        assert!(is_version || !service["build"].is_null(), "{image} is not pinned");
        for on in service["depends_on"].as_mapping().into_iter().flat_map(|on| on.keys()) {
            assert!(services.contains_key(on.as_str().unwrap()), "{name} waits for {on:?}");
        }
        for volume in texts(&service["volumes"]).iter().filter(|volume| volume.starts_with('.')) {
            let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../compose");
            let folder = folder.join(volume.split_once(':').unwrap().0);
            assert!(folder.is_dir(), "{name} mounts {}", folder.display());
        }
    }
}

#[test]
fn grafana_finds_prometheus_and_the_dashboards() {
    let source = &yaml("compose/grafana/provisioning/datasources/prometheus.yml")["datasources"][0];
    assert_eq!(source["url"], "http://prometheus:9090");
    let provider = &yaml("compose/grafana/provisioning/dashboards/saasbench.yml")["providers"][0];
    let folder = provider["options"]["path"].as_str().unwrap();
    let mounts = texts(&services()["grafana"]["volumes"]);
    assert!(mounts.contains(&format!("../dashboards:{folder}:ro")), "{mounts:?}");
}

/// A minimal image that does not run as root.
#[test]
fn the_image_is_built_in_stages_and_does_not_run_as_root() {
    let text = file("Dockerfile");
    let lines: Vec<&str> = text.lines().collect();
    let starts: Vec<usize> = (0..lines.len()).filter(|i| lines[*i].starts_with("FROM ")).collect();
    assert_eq!(starts.len(), 2);
    let last = &lines[starts[1]..];
    let find = |word: &str| last.iter().find(|line| line.starts_with(word)).unwrap();
    assert!(find("FROM ").ends_with("-slim"));
    assert!(find("USER ").trim_start_matches("USER ").parse::<u32>().unwrap() > 0);
    assert!(find("HEALTHCHECK ").ends_with(r#"CMD ["tenancy-server", "--healthcheck"]"#));
    assert_eq!(*find("ENTRYPOINT "), r#"ENTRYPOINT ["tenancy-server"]"#);
    let rust = lines[starts[0]].trim_start_matches("FROM rust:");
    let cargo: toml::Table = toml::from_str(&file("Cargo.toml")).unwrap();
    let oldest = cargo["workspace"]["package"]["rust-version"].as_str().unwrap();
    let minor = |version: &str| version.split('.').nth(1).unwrap().parse::<u32>().unwrap();
    assert!(minor(rust) >= minor(oldest), "{rust} is older than {oldest}");
}

#[test]
fn grafana_has_no_login() {
    let environment = &services()["grafana"]["environment"];
    let setting = |name: &str| environment[name].as_str().unwrap_or_default().to_owned();
    let settings =
        ["GF_AUTH_DISABLE_LOGIN_FORM", "GF_AUTH_BASIC_ENABLED", "GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"];
    assert_eq!(settings.map(setting), ["true", "false", "true"]);
}
