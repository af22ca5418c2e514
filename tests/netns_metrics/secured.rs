//! TLS and users, as curl meets them.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::start;
use super::support::clock::wait_for;
use super::support::exposition::Page;
use super::support::pair::{Pair, RECEIVER_LINK};
use super::support::program;
use super::support::scrape::get;
use super::support::{self, clock};

/// Runs openssl in the folder.
fn openssl(folder: &Path, arguments: &str) {
    let mut command = Command::new("openssl");
    let command = command.current_dir(folder).args(arguments.split(' '));
    let output = command.output().expect("openssl");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {arguments}: {said}");
}

/// An authority, and a server and a client whose certificates it signed.
fn certificates() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    make_certificates(folder.path());
    folder
}

fn make_certificates(path: &Path) {
    let new = "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(
        path,
        &format!("{new} -x509 -days 2 -keyout ca.key -out ca.pem -subj /CN=authority"),
    );
    for (name, also) in [
        ("server", "subjectAltName=IP:127.0.0.1"),
        ("client", "extendedKeyUsage=clientAuth"),
    ] {
        let end = format!("-keyout {name}.key -out {name}.csr -subj /CN={name} -addext {also}");
        openssl(path, &format!("{new} {end}"));
        let end = format!("-in {name}.csr -out {name}.pem -copy_extensions copy -days 2");
        openssl(path, &format!("x509 -req -CA ca.pem -CAkey ca.key {end}"));
    }
}

/// What curl says of the page of metrics: exit code, and what it wrote.
fn curl(pair: &Pair, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = support::command(&pair.receiver, "curl");
    let output = command.arg("--silent").args(arguments).output();
    let output = output.expect("curl");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code(), text)
}

fn tls(folder: &Path, client_ca: &str) -> String {
    let folder = folder.display();
    format!(
        r#"{{"LISTEN": 9788, "LISTEN_TLS": {{"CERTIFICATE": "{folder}/server.pem", "KEY": "{folder}/server.key"{client_ca}}}}}"#
    )
}

#[test]
fn tls_secures_pages_and_lets_in_who_has_a_certificate() {
    if !support::root() {
        return;
    }
    let folder = certificates();
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (authority, url) = (file("ca.pem"), "https://127.0.0.1:9788/metrics");
    let (pair, run) = start(&tls(folder.path(), ""), &[]);
    let secured = ["--cacert", &authority, url];
    clock::wait_for("a page", || {
        curl(&pair, &[&["--fail"], &secured[..]].concat()).0 == Some(0)
    });
    let (_, text) = curl(&pair, &secured);
    assert!(Page::read(&text).samples.len() > 50, "{text}");
    // The same over HTTP is no TLS, and a certificate that nobody knows is not trusted.
    assert_ne!(curl(&pair, &["http://127.0.0.1:9788/metrics"]).0, Some(0));
    assert_eq!(curl(&pair, &[url]).0, Some(60));
    wait_for("both to be told", || {
        let page = Page::read(&curl(&pair, &secured).1);
        page.value("flowtop_exporter_refused_total{reason=\"tls\"}") >= 2.0
    });
    for version in ["--tlsv1.2", "--tlsv1.3"] {
        let (code, _) = curl(
            &pair,
            &[&[version, "--tls-max", &version[6..]], &secured[..]].concat(),
        );
        assert_eq!(code, Some(0), "{version}");
    }
    run.finish();
    let client_ca = format!(r#", "CLIENT_CA": "{authority}""#);
    let (pair, run) = start(&tls(folder.path(), &client_ca), &[]);
    let (certificate, key) = (file("client.pem"), file("client.key"));
    let known = ["--cert", &certificate, "--key", &key];
    wait_for("a page for who is known", || {
        curl(&pair, &[&["--fail"], &known[..], &secured[..]].concat()).0 == Some(0)
    });
    assert_ne!(curl(&pair, &secured).0, Some(0), "without a certificate");
    run.finish();
}

/// Files that only root may read, and links to them, as certbot lays them out: the run goes on as nobody.
#[test]
fn a_renewed_certificate_is_served_from_then_on() {
    if !support::root() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let [live, first, second] = ["live", "1", "2"].map(|name| folder.path().join(name));
    for made in [&live, &first, &second] {
        std::fs::create_dir(made).expect("a folder");
    }
    make_certificates(&first);
    make_certificates(&second);
    let link = |name: &str, file: &Path| {
        std::os::unix::fs::symlink(file, live.join("new")).expect("a link");
        std::fs::rename(live.join("new"), live.join(name)).expect("rename");
    };
    for name in ["server.pem", "server.key"] {
        link(name, &first.join(name));
    }
    let (pair, run) = start(&tls(&live, ""), &[]);
    let is_served = |by: &Path| {
        let authority = by.join("ca.pem").display().to_string();
        let url = "https://127.0.0.1:9788/healthz";
        curl(&pair, &["--fail", "--cacert", &authority, url]).0 == Some(0)
    };
    wait_for("the first certificate", || is_served(&first));
    // New files in the folders that were there at the start.
    for name in ["server.pem", "server.key"] {
        let new = first.join(format!("2-{name}"));
        std::fs::copy(second.join(name), &new).expect("copy");
        link(name, &new);
        if name == "server.pem" {
            wait_for("what is wrong to be told", || {
                run.said().contains("what was read before stays in force")
            });
            assert!(is_served(&first), "half of it is in force");
        }
    }
    wait_for("the second certificate", || is_served(&second));
    assert!(!is_served(&first));
    let errors = run.finish().errors;
    assert!(
        errors.contains("LISTEN_TLS: the files were read again"),
        "{errors}"
    );
}

#[test]
fn files_that_are_wrong_or_that_others_may_write_are_refused() {
    if !support::root() {
        return;
    }
    let folder = certificates();
    let pair = Pair::quiet();
    let path = folder.path().join("config.json");
    let refused = |config: &str, expected: &str| {
        std::fs::write(&path, config).expect("write the configuration");
        let config = path.to_str().expect("UTF-8");
        let output = program::run_to_end(
            &pair.receiver,
            &["--json", "-i", RECEIVER_LINK, "-c", config],
        );
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(78), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains(expected), "{said}");
    };
    let right = tls(folder.path(), "");
    refused(
        &right.replace("server.pem", "nobody.pem"),
        "nobody.pem: No such file",
    );
    refused(
        &right.replace("server.pem", "server.key"),
        "there is no certificate in it",
    );
    refused(
        &right.replace("server.key", "server.pem"),
        "there is no private key in it",
    );
    refused(
        &right.replace("server.key", "client.key"),
        "LISTEN_TLS: the certificate",
    );
    let key = folder.path().join("server.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o666)).expect("chmod");
    refused(&right, "everybody may write to it");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).expect("chmod");
    std::os::unix::fs::chown(&key, Some(12_345), None).expect("chown");
    refused(&right, "it belongs to user 12345");
}

/// A configuration with these users and their passwords.
fn config(users: &[(&str, &str)]) -> String {
    let hash = |password: &str| bcrypt::hash(password, 4).expect("a hash");
    let member = |(name, password): &(&str, &str)| format!("\"{name}\": \"{}\"", hash(password));
    let members: Vec<_> = users.iter().map(member).collect();
    format!(
        r#"{{"LISTEN": 9788, "LISTEN_USERS": {{{}}}}}"#,
        members.join(", ")
    )
}

#[test]
fn users_are_let_in_by_their_passwords_and_change_live() {
    if !support::root() {
        return;
    }
    let (pair, run) = start(&config(&[("ann", "one"), ("bob", "two")]), &[]);
    let code = |user: &str| {
        let url = "http://127.0.0.1:9788/metrics";
        curl(
            &pair,
            &[
                "--output",
                "/dev/null",
                "--write-out",
                "%{http_code}",
                "--user",
                user,
                url,
            ],
        )
        .1
    };
    wait_for("a page", || code("ann:one") == "200");
    assert_eq!(
        ["ann:one", "bob:two", "ann:two", "carl:one"].map(code),
        ["200", "200", "401", "401"]
    );
    for path in ["/metrics", "/healthz", "/", "/nothing"] {
        let answer = get(&pair.receiver, path, "");
        assert_eq!(answer.status, 401, "{path}");
        assert!(
            answer
                .header("WWW-Authenticate")
                .is_some_and(|how| how.starts_with("Basic "))
        );
    }
    run.rename_config(&config(&[("carl", "one")]));
    wait_for("another user", || code("carl:one") == "200");
    assert_eq!(code("ann:one"), "401");
    run.rename_config(r#"{"LISTEN": 9788}"#);
    wait_for("anybody", || {
        get(&pair.receiver, "/healthz", "").status == 200
    });
    let page = super::page(&pair.receiver);
    assert!(page.value("flowtop_exporter_refused_total{reason=\"unauthorized\"}") >= 7.0);
    // Where TLS is wanted later, nobody is served without it.
    run.rename_config(
        r#"{"LISTEN": 9788, "LISTEN_TLS": {"CERTIFICATE": "/etc/a", "KEY": "/etc/b"}}"#,
    );
    wait_for("nobody to be served", || {
        super::support::scrape::connect(&pair.receiver, 9788).is_err()
    });
    let errors = run.finish().errors;
    assert!(
        errors.contains("nothing is served (a new start has more rights)"),
        "{errors}"
    );
}
