//! Packages of the program under test: what they hold, and the Debian package from its installation to its removal.
//!
//! It is installed for real, by dpkg on this machine's own packages, but into overlays of /usr, /etc and /var that
//! only the processes of one mount namespace see, and that go away with it.

#[path = "package/sandbox.rs"]
mod sandbox;
#[path = "package/service.rs"]
mod service;
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use support::Background;
use support::frames::{FrameSender, Udp};
use support::pair::{Pair, RECEIVER_LINK};
use support::program::{Ended, Flowtop, PROGRAM, flow_to, volume};
use tempfile::TempDir;

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Waits behind the overlays until its standard input is closed. The systemd of this machine must not hear of the test.
const OVERLAYS: &str = r#"
set -e
mount -t tmpfs -o mode=755 tmpfs "$1"
for top in usr etc var; do
    mkdir "$1/$top" "$1/work-$top"
    mount -t overlay -o "lowerdir=/$top,upperdir=$1/$top,workdir=$1/work-$top" overlay "/$top"
done
rm -f /usr/local/bin/flowtop* /usr/local/sbin/flowtop*
[ ! -d /run/systemd ] || mount -t tmpfs tmpfs /run/systemd
echo ready
exec cat
"#;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn path(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Runs a command to its end and returns its standard output; fails if the command does.
fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().expect("start");
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Packages the program under test.
fn package(kind: &str, folder: &Path) -> PathBuf {
    package_of(&[], kind, folder)
}

/// The same, published by somebody.
fn package_of(publisher: &[(&str, &str)], kind: &str, folder: &Path) -> PathBuf {
    let mut command = Command::new(source("scripts/package"));
    command.args([kind, PROGRAM]).arg(folder);
    for name in ["DEBFULLNAME", "DEBEMAIL", "HOMEPAGE"] {
        command.env_remove(name);
    }
    command.envs(publisher.iter().copied());
    let output = run(command.env("CARGO", env!("CARGO")));
    let package = PathBuf::from(output.trim_end());
    assert!(package.starts_with(folder), "{output}");
    package
}

static DEBIAN_PACKAGE: LazyLock<PathBuf> = LazyLock::new(|| {
    // One that root made would be in the way of who is not root.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let files = std::fs::read_dir(folder).expect("a folder").flatten();
    let is_package = |file: &std::fs::DirEntry| file.path().extension() == Some("deb".as_ref());
    files
        .filter(is_package)
        .for_each(|file| _ = std::fs::remove_file(file.path()));
    package("deb", folder)
});

/// Files and links below a folder.
fn files_below(folder: &Path) -> BTreeSet<String> {
    let mut command = Command::new("find");
    command.arg(folder).args(["!", "-type", "d", "-printf"]);
    let found = run(command.arg("%P\n"));
    found.lines().map(Into::into).collect()
}

/// What both kinds of package and `make install` have, below the prefix.
fn assert_complete(files: &BTreeSet<String>, zsh: &str) {
    for file in [
        "bin/flowtop",
        "bin/flowtop-bpf",
        "share/man/man1/flowtop.1.gz",
        "share/man/man1/flowtop-bpf.1.gz",
        "share/bash-completion/completions/flowtop",
        &format!("share/zsh/{zsh}/_flowtop"),
        "share/fish/vendor_completions.d/flowtop.fish",
        "share/doc/flowtop/config.json",
        "share/doc/flowtop/config.schema.json",
        "share/doc/flowtop/README.md",
        "share/doc/flowtop/docs/numbers.md",
        "share/flowtop/prometheus/flowtop-records.yml",
        "share/flowtop/prometheus/flowtop-alerts.yml",
        "share/flowtop/grafana/flowtop.json",
        "share/doc/flowtop/LICENSE-MIT",
        "share/doc/flowtop/LICENSE-APACHE",
        "share/doc/flowtop/LICENSE-GPL-2.0",
        "share/doc/flowtop/THIRD-PARTY.txt",
    ] {
        assert!(files.contains(file), "{file} is not in {files:#?}");
    }
}

#[test]
fn a_debian_package_names_who_published_it_or_else_the_authors() {
    let field = |package: &Path, name: &str| {
        let mut command = Command::new("dpkg-deb");
        command.arg("--field").arg(package).arg(name);
        run(&mut command).trim_end().to_owned()
    };
    let fields = |package: &Path| (field(package, "Maintainer"), field(package, "Homepage"));
    let (author, homepage) = (env!("CARGO_PKG_AUTHORS"), env!("CARGO_PKG_HOMEPAGE"));
    assert_eq!(fields(&DEBIAN_PACKAGE), (author.into(), homepage.into()));
    let folder = folder();
    let publisher = [
        ("DEBFULLNAME", "A & B, packagers"),
        ("DEBEMAIL", "packages@b.example"),
        ("HOMEPAGE", "https://b.example/?a=1,2&c"),
    ];
    let found = fields(&package_of(&publisher, "deb", folder.path()));
    let maintainer = "A & B, packagers <packages@b.example>";
    assert_eq!(found, (maintainer.into(), publisher[2].1.into()));
}

#[test]
fn an_archive_has_all_that_is_installed_and_its_program_runs() {
    let folder = folder();
    let archive = package("archive", folder.path());
    let name = archive.file_name().expect("a name").to_string_lossy();
    let name = name.strip_suffix(".tar.gz").expect("a compressed archive");
    let mut tar = Command::new("tar");
    run(tar.arg("-xzf").arg(&archive).arg("-C").arg(folder.path()));
    let root = folder.path().join(name);
    assert_complete(&files_below(&root), "site-functions");
    let version = run(Command::new(root.join("bin/flowtop-bpf")).arg("--version"));
    assert_eq!(
        version,
        concat!("flowtop ", env!("CARGO_PKG_VERSION"), "\n")
    );
    let mut gzip = Command::new("gzip");
    let page = run(gzip
        .arg("-dc")
        .arg(root.join("share/man/man1/flowtop-bpf.1.gz")));
    let written = fs::read_to_string(source("packaging/man/flowtop.1")).expect("the page");
    assert_eq!(page, written);
}

#[test]
fn packages_have_the_licence_of_every_crate_in_the_program() {
    let folder = folder();
    let archive = package("archive", folder.path());
    let mut tar = Command::new("tar");
    tar.args(["--wildcards", "-xzOf"]).arg(&archive);
    let licences = run(tar.arg("*/THIRD-PARTY.txt"));
    let mut crates = BTreeSet::new();
    for part in licences.split("\n==== ").skip(1) {
        let (head, text) = part.split_once('\n').expect("a text");
        assert!(text.split_whitespace().count() > 50, "{head}: {text}");
        crates.insert(head.split(' ').next().expect("a name"));
    }
    let manifest = fs::read_to_string(source("Cargo.toml")).expect("Cargo.toml");
    let (_, dependencies) = manifest.split_once("\n[dependencies]\n").expect("a table");
    let dependencies = dependencies.lines().take_while(|line| !line.is_empty());
    for dependency in dependencies {
        let name = dependency.split(' ').next().expect("a name");
        assert!(crates.contains(name), "{name} is not in {crates:?}");
    }
}

#[test]
fn what_make_installs_make_uninstalls() {
    let folder = folder();
    let make = |target: &str| {
        let mut command = Command::new("make");
        command.current_dir(source("")).arg(target);
        command.arg(format!("PROGRAM={PROGRAM}"));
        run(command.arg(format!("DESTDIR={}", path(folder.path()))));
    };
    make("install");
    assert!(files_below(folder.path()).len() > 10);
    make("uninstall");
    assert_eq!(files_below(folder.path()), BTreeSet::new());
}

/// This machine as it is, with changes that nobody else sees.
struct Machine {
    holder: Background,
    folder: TempDir,
}

impl Machine {
    fn new() -> Machine {
        let folder = folder();
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", OVERLAYS]);
        command.arg("sh").arg(folder.path());
        let mut holder = Background::spawn(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
        let output = holder.0.stdout.take().expect("standard output");
        let mut line = String::new();
        let read = BufReader::new(output).read_line(&mut line);
        assert!(read.is_ok() && line == "ready\n", "no overlays: {line}");
        Machine { holder, folder }
    }

    /// Makes a command run on this machine.
    fn enter(&self, mut command: Command) -> Command {
        command.arg(format!("--mount=/proc/{}/ns/mnt", self.holder.0.id()));
        command.arg("--").env("PATH", PATH);
        command
    }

    fn run(&self, words: &[&str]) -> String {
        run(self.enter(Command::new("nsenter")).args(words))
    }

    /// Without triggers, which concern the packages of others, and with files that this machine's dpkg may leave out.
    fn dpkg(&self, words: &[&str]) {
        let options = ["dpkg", "--no-triggers", "--path-include=/usr/share/*"];
        self.run(&[&options[..], words].concat());
    }

    /// Files that were made since the beginning and are still there.
    fn made(&self) -> BTreeSet<String> {
        let find = "cd \"$1\" && find usr etc var ! -type d ! -type c -print; find usr etc var -type d -name '*flowtop*'";
        let found = self.run(&["sh", "-c", find, "sh", path(self.folder.path())]);
        found.lines().map(Into::into).collect()
    }

    /// Has each call of systemctl written down, as on a machine that systemd runs.
    fn listen_to_systemctl(&self) {
        let script = "mkdir -p /run/systemd/system && printf '#!/bin/sh\\necho \"$@\" >>/etc/systemctl-calls\\n' \
                      >/usr/local/sbin/systemctl && chmod +x /usr/local/sbin/systemctl";
        self.run(&["sh", "-c", script]);
    }

    /// What systemctl was asked for since this was asked last.
    fn systemctl_calls(&self) -> String {
        self.run(&[
            "sh",
            "-c",
            "cat /etc/systemctl-calls && rm /etc/systemctl-calls",
        ])
    }
}

/// The capabilities that the service has, as setpriv wants them.
fn capabilities_of_the_service() -> String {
    let unit = fs::read_to_string(source("packaging/flowtop.service")).expect("the unit");
    let listed = |key: &str| -> Vec<String> {
        let line = unit.lines().find_map(|line| line.strip_prefix(key));
        let names = line.expect("capabilities").split_whitespace();
        names
            .map(|name| name.trim_start_matches("CAP_").to_lowercase())
            .collect()
    };
    let names = listed("AmbientCapabilities=");
    assert_eq!(names, listed("CapabilityBoundingSet="));
    format!("-all,+{}", names.join(",+"))
}

/// A command of the machine in the receiver's namespace, as another user and with the rights of the service.
fn as_the_service(machine: &Machine, pair: &Pair) -> Command {
    let capabilities = capabilities_of_the_service();
    let mut command = machine.enter(support::command(&pair.receiver, "nsenter"));
    command.args([
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
    ]);
    for set in ["bounding-set", "inh-caps", "ambient-caps"] {
        command.arg(format!("--{set}={capabilities}"));
    }
    command.arg("--no-new-privs").env("HOME", "/");
    command
}

/// The installed program on traffic: each packet is counted.
fn assert_counts(machine: &Machine) {
    let pair = Pair::quiet();
    let mut command = as_the_service(machine, &pair);
    command.args(["/usr/bin/flowtop", "--json", "-t", "0.1"]);
    command.args([
        "-i",
        RECEIVER_LINK,
        "-c",
        "/usr/share/doc/flowtop/config.json",
    ]);
    assert_it_counts(Flowtop::from_command(&mut command, folder()), &pair);
}

/// A hundred packets come in, and the run says so and nothing else.
fn assert_it_counts(mut run: Flowtop, pair: &Pair) -> Ended {
    const PACKETS: u32 = 100;
    let frames: Vec<_> = (0..PACKETS)
        .map(|number| Udp::to_port(5000).with_number(number, 0, 58).frame())
        .collect();
    FrameSender::on(pair).send_in_step(frames.iter().map(Vec::as_slice));
    run.settle(PACKETS.into());
    let ended = run.finish();
    assert_eq!(ended.errors, "");
    let flow = flow_to(&ended.record, "udp", 5000);
    assert_eq!(volume(flow), (100, 100 * 100));
    ended
}

/// A package with what stands in netsniff-ng's of the same name as ours.
fn netsniff_ng(folder: &Path) -> PathBuf {
    let root = folder.join("netsniff-ng");
    let write = |name: &str, mode: u32, text: &str| {
        let file = root.join(name);
        fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        fs::write(&file, text).expect("write");
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("chmod");
    };
    write("usr/sbin/flowtop", 0o755, "#!/bin/sh\necho netsniff-ng\n");
    write("usr/share/man/man8/flowtop.8.gz", 0o644, "");
    write(
        "DEBIAN/control",
        0o644,
        "Package: netsniff-ng\nVersion: 99\nArchitecture: all\nMaintainer: A test <test@localhost>\n\
         Description: another flowtop\n",
    );
    let package = folder.join("netsniff-ng.deb");
    let mut command = Command::new("dpkg-deb");
    run(command
        .args(["--root-owner-group", "--build"])
        .arg(&root)
        .arg(&package));
    package
}

fn assert_the_unit_is_sound(machine: &Machine) {
    let analyze = "systemd-analyze verify --man=no flowtop.service 2>&1";
    assert_eq!(machine.run(&["sh", "-c", analyze]), "");
}

#[test]
fn the_user_of_the_service_is_not_called_after_the_group_of_the_documents() {
    let unit = fs::read_to_string(source("packaging/flowtop.service")).expect("the unit");
    let user = unit.lines().find_map(|line| line.strip_prefix("User="));
    let user = user.expect("a name, in place of the unit's");
    // docs/rights.md has people make a group of that name: systemd makes no user beside one.
    assert_ne!(user, "flowtop");
}

#[test]
fn the_debian_package_is_installed_runs_beside_netsniff_ng_and_leaves_nothing() {
    if !support::root() {
        return;
    }
    let folder = folder();
    let netsniff_ng = netsniff_ng(folder.path());
    let machine = Machine::new();
    machine.dpkg(&["--install", path(&DEBIAN_PACKAGE), path(&netsniff_ng)]);
    let files = machine.run(&["dpkg", "--listfiles", "flowtop"]);
    let below_prefix = files.lines().filter_map(|file| file.strip_prefix("/usr/"));
    assert_complete(
        &below_prefix.map(Into::into).collect(),
        "vendor-completions",
    );
    for file in files.lines() {
        machine.run(&["test", "-e", file]);
    }
    assert_the_unit_is_sound(&machine);
    let ours = concat!("flowtop ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(machine.run(&["flowtop"]), "netsniff-ng\n");
    assert_eq!(machine.run(&["flowtop-bpf", "--version"]), ours);
    assert_counts(&machine);

    // As systemd makes them for a user of the service's own.
    let records = "var/log/private/flowtop/flowtop.jsonl";
    let write = "for folder in log lib; do mkdir -p /var/$folder/private/flowtop && \
                 ln -s private/flowtop /var/$folder/flowtop || exit 1; done && touch \"/$0\" \"/$1\"";
    let recording = "var/lib/private/flowtop/a.flowrec";
    machine.run(&["sh", "-c", write, records, recording]);
    machine.dpkg(&["--remove", "flowtop"]);
    for kept in [records, recording] {
        assert!(machine.made().contains(kept), "{kept} was removed");
    }
    machine.dpkg(&["--purge", "flowtop"]);
    assert_eq!(machine.run(&["flowtop"]), "netsniff-ng\n");
    machine.dpkg(&["--purge", "netsniff-ng"]);
    let mut left = machine.made();
    left.retain(|file| {
        let is_dpkgs = file.starts_with("var/lib/dpkg/") || file == "var/log/dpkg.log";
        !is_dpkgs || file.contains("flowtop")
    });
    assert_eq!(left, BTreeSet::new());
}

#[test]
fn a_service_that_runs_is_started_again_by_an_upgrade_and_stopped_by_a_removal() {
    if !support::root() {
        return;
    }
    let package = path(&DEBIAN_PACKAGE);
    let machine = Machine::new();
    machine.listen_to_systemctl();
    machine.dpkg(&["--install", package]);
    assert_eq!(machine.systemctl_calls(), "daemon-reload\n");
    machine.dpkg(&["--install", package]);
    let calls = machine.systemctl_calls();
    assert!(
        calls.ends_with("daemon-reload\ntry-restart flowtop.service\n"),
        "{calls}"
    );
    assert!(!calls.contains("disable"), "{calls}");
    machine.dpkg(&["--purge", "flowtop"]);
    let calls = machine.systemctl_calls();
    let first = calls.lines().next();
    assert_eq!(first, Some("--no-reload disable --now flowtop.service"));
}
