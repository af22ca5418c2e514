//! Prometheus, which scrapes a fleet and hands on what it has, and VictoriaMetrics, which gets that and scrapes as well.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use flowtop::netns::Namespace;
use nix::unistd::Pid;
use serde_json::Value;

use super::files::{documented, source, succeed};
use super::support::{Background, command, resident_kib, run};

/// What is waited for comes sooner, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The job by which VictoriaMetrics scrapes; Prometheus's is that of the document.
pub const DIRECT: &str = "flowtop-direct";
/// The job by which Prometheus scrapes.
pub const SCRAPED: &str = "flowtop";

/// What selects series of flows alone.
pub const OF_FLOWS: &str = "__name__=~\"flowtop_flow_.+\", __name__!~\"flowtop_flow_other_.+\"";

const PROMETHEUS: &str = "127.0.0.1:9090";
const VICTORIA: &str = "127.0.0.1:8428";

/// Labels and value.
pub type Row = (BTreeMap<String, String>, f64);

/// A server with Prometheus's API. It is killed when this is dropped.
pub struct Database<'a> {
    namespace: &'a Namespace,
    address: &'static str,
    server: Background,
}

impl<'a> Database<'a> {
    /// By the configuration of the document, but for places and times; `folder` gets its data.
    pub fn prometheus(namespace: &'a Namespace, folder: &Path, targets: &[String]) -> Self {
        let rules = source("packaging/prometheus");
        let list = folder.join("hosts.json");
        let hosts = serde_json::json!([{ "targets": targets }]);
        fs::write(&list, hosts.to_string()).expect("written");
        let config = documented("remote_write:")
            .replace("/usr/share/flowtop/prometheus", text(&rules))
            .replace("/etc/prometheus/flowtop/*.json", text(&list))
            .replace("victoria.example:8428", VICTORIA)
            .replace("15s", "1s");
        let file = folder.join("prometheus.yml");
        fs::write(&file, config).expect("written");
        let mut promtool = Command::new("promtool");
        succeed(promtool.args(["check", "config"]).arg(&file));
        let mut server = command(namespace, "prometheus");
        server.arg(format!("--config.file={}", text(&file)));
        server.arg(format!(
            "--storage.tsdb.path={}",
            text(&folder.join("prometheus"))
        ));
        server.arg(format!("--web.listen-address={PROMETHEUS}"));
        Database::start(namespace, PROMETHEUS, server, folder)
    }

    /// Scrapes the same targets every second, and keeps what is written to it.
    pub fn victoria(namespace: &'a Namespace, folder: &Path, targets: &[String]) -> Self {
        let config = serde_json::json!({
            "global": { "scrape_interval": "1s" },
            "scrape_configs": [{ "job_name": DIRECT, "static_configs": [{ "targets": targets }] }],
        });
        let file = folder.join("victoria.yml");
        fs::write(&file, config.to_string()).expect("written");
        let mut server = command(namespace, "victoria-metrics");
        server.arg(format!("-promscrape.config={}", text(&file)));
        server.arg(format!(
            "-storageDataPath={}",
            text(&folder.join("victoria"))
        ));
        server.arg(format!("-httpListenAddr={VICTORIA}"));
        // Else it does not tell what is younger than half a minute.
        server
            .arg("-search.latencyOffset=0s")
            .arg("-memory.allowedBytes=200MB");
        Database::start(namespace, VICTORIA, server, folder)
    }

    fn start(
        namespace: &'a Namespace,
        address: &'static str,
        mut server: Command,
        folder: &Path,
    ) -> Self {
        let log = folder.join(format!("{address}.log"));
        let log = fs::File::create(log).expect("a log");
        server
            .stdout(Stdio::null())
            .stderr(log)
            .stdin(Stdio::null());
        let server = Background::spawn(&mut server);
        let database = Database {
            namespace,
            address,
            server,
        };
        wait_for("a server", || {
            database.ask("query", &[("query", "1")]).is_some()
        });
        database
    }

    /// A request to its API; `None` where it does not answer.
    fn ask(&self, what: &str, parameters: &[(&str, &str)]) -> Option<Value> {
        let mut curl = command(self.namespace, "curl");
        curl.args(["--silent", "--max-time", "30", "--get"]);
        for (name, value) in parameters {
            curl.arg("--data-urlencode").arg(format!("{name}={value}"));
        }
        let output = curl
            .arg(format!("http://{}/api/v1/{what}", self.address))
            .output();
        let answer =
            serde_json::from_slice(&output.expect("curl (make test-fleet)").stdout).ok()?;
        Some(answer)
    }

    /// Memory that it has now.
    pub fn resident_kib(&self) -> u64 {
        resident_kib(Pid::from_raw(self.server.0.id() as i32))
    }

    /// What an instant query finds now.
    pub fn query(&self, query: &str) -> Vec<Row> {
        self.rows(query, &[("query", query), ("nocache", "1")])
    }

    /// What it would have found then.
    pub fn query_at(&self, moment: SystemTime, query: &str) -> Vec<Row> {
        let since_epoch = moment.duration_since(UNIX_EPOCH).expect("a time");
        let time = since_epoch.as_secs_f64().to_string();
        self.rows(query, &[("query", query), ("time", &time)])
    }

    fn rows(&self, query: &str, parameters: &[(&str, &str)]) -> Vec<Row> {
        let answer = self.ask("query", parameters);
        let answer = answer.unwrap_or_else(|| panic!("{} does not answer", self.address));
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        let rows = answer["data"]["result"].as_array().expect("a vector");
        let row = |row: &Value| {
            let labels = row["metric"].as_object().expect("labels").iter();
            let label = |(name, value): (&String, &Value)| {
                (name.clone(), value.as_str().expect("text").to_owned())
            };
            let value = row["value"][1]
                .as_str()
                .and_then(|value| value.parse().ok());
            (labels.map(label).collect(), value.expect("a number"))
        };
        rows.iter().map(row).collect()
    }

    /// What a query finds, by a label.
    pub fn by(&self, label: &str, query: &str) -> BTreeMap<String, f64> {
        let rows = self.query(query).into_iter();
        let mut found = BTreeMap::new();
        for (labels, value) in rows {
            let name = labels.get(label).cloned().unwrap_or_default();
            assert_eq!(
                found.insert(name, value),
                None,
                "{query}: two for one {label}"
            );
        }
        found
    }

    /// Whether a variable's `label_values(SELECTOR, LABEL)` has values.
    pub fn has_values(&self, selector: &str, label: &str) -> bool {
        let answer = self.ask(&format!("label/{label}/values"), &[("match[]", selector)]);
        answer.is_some_and(|answer| answer["data"].as_array().is_some_and(|all| !all.is_empty()))
    }
}

/// Waits until this is so; fails where it never is.
pub fn wait_for(what: &str, is_so: impl FnMut() -> bool) {
    assert!(eventually(is_so), "waited in vain for {what}");
}

/// Waits until this is so; false where it never is.
pub fn eventually(mut is_so: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    true
}

/// What a client names that takes OpenMetrics.
pub const OPEN: &str = "application/openmetrics-text;version=1.0.0";

/// A page as a client gets it that asks for this type.
pub fn page(namespace: &Namespace, target: &str, kind: &str) -> String {
    let accept = format!("Accept: {kind}");
    let address = format!("http://{target}/metrics");
    let words = [
        "--silent",
        "--show-error",
        "--fail",
        "-H",
        &accept,
        &address,
    ];
    run(namespace, "curl", &words)
}

/// Bytes that a page has on the wire for who takes this encoding.
pub fn size_of_page(namespace: &Namespace, target: &str, encoding: &str) -> usize {
    let accept = format!("Accept-Encoding: {encoding}");
    let address = format!("http://{target}/metrics");
    let words = [
        "--silent",
        "--fail",
        "-H",
        &accept,
        "-o",
        "/dev/null",
        "-w",
        "%{size_download}",
        &address,
    ];
    run(namespace, "curl", &words).parse().expect("a number")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}
