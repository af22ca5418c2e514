//! The command line, as far as it needs no privilege: what words mean, and what errors say.

use std::ffi::OsString;
use std::time::Duration;

use flowtop::cli::{Arguments, ColorChoice, Exit, Failure, Invocation, Overrides};
use flowtop::config::Config;
use flowtop::model::glob::Glob;
use flowtop::model::preferences::Unit;

fn read(words: &[&str]) -> Result<Arguments, Failure> {
    let words = std::iter::once("flowtop").chain(words.iter().copied());
    match Arguments::read(words.map(OsString::from))? {
        Invocation::Run(arguments) => Ok(*arguments),
        Invocation::Print(text) => panic!("printed {text}"),
    }
}

fn printed(word: &str) -> String {
    match Arguments::read(["flowtop", word].map(OsString::from)) {
        Ok(Invocation::Print(text)) => text,
        other => panic!("{other:?}"),
    }
}

fn error(words: &[&str]) -> String {
    let failure = read(words).expect_err("a usage error");
    assert_eq!(failure.code, Exit::Usage);
    let text = failure.to_string();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.starts_with("flowtop: command line: "), "{text}");
    assert!(text.ends_with("see: flowtop --help)"), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
    text
}

#[test]
fn without_options_everything_is_default() {
    let arguments = read(&[]).expect("valid");
    assert!(arguments.config.is_none());
    assert_eq!(arguments.overrides, Overrides::default());
    assert_eq!(arguments.output.color, ColorChoice::Auto);
}

#[test]
fn interfaces_come_as_lists_and_repeated() {
    let arguments = read(&["-i", "veth1,eth*", "--interface", "wl?n0", "-iens3"]).expect("valid");
    let interfaces = ["veth1", "eth*", "wl?n0", "ens3"].map(Glob::from);
    assert_eq!(arguments.overrides.interfaces, interfaces);
}

#[test]
fn a_collector_takes_the_place_of_the_configurations_and_the_rest_stays() {
    let over = |words: &[&str], text: &str| {
        let config = Config::load(text, "config.json").expect("valid");
        let overrides = read(words).expect("valid").overrides;
        overrides.over(config).ipfix
    };
    let own = r#"{"IPFIX": {"COLLECTOR": "192.0.2.1:4739", "DOMAIN": 5}}"#;
    let named = over(&["--ipfix", "tcp://[::1]:99"], own).expect("a collector");
    assert_eq!(named.collector.to_string(), "tcp://[::1]:99");
    assert_eq!(named.domain, 5);
    let alone = over(&["--ipfix", "localhost:4739"], "{}").expect("a collector");
    assert_eq!((alone.domain, alone.interval.as_secs()), (1, 60));
    assert_eq!(over(&[], "{}"), None);
    let text = error(&["--ipfix", "localhost"]);
    assert!(
        text.contains("expected HOST:PORT or tcp://HOST:PORT"),
        "{text}"
    );
}

#[test]
fn the_seeds_spelling_of_packet_loss_works() {
    for words in [["-packet_loss"], ["--packet-loss"], ["-l"]] {
        assert!(
            read(&words).expect("valid").overrides.packet_loss,
            "{words:?}"
        );
    }
    assert!(
        read(&["-b", "-packet_loss", "-t", "2"])
            .expect("valid")
            .overrides
            .packet_loss
    );
}

#[test]
fn times_are_seconds_with_fractions() {
    let arguments = read(&["-t", "0.1", "-j", "0.0005", "--duration=1.5"]).expect("valid");
    assert_eq!(
        arguments.overrides.throughput_interval,
        Some(Duration::from_millis(100))
    );
    assert_eq!(
        arguments.overrides.jitter_interval,
        Some(Duration::from_micros(500))
    );
    assert_eq!(arguments.output.duration, Some(Duration::from_millis(1500)));
    assert!(read(&["-t", "86400", "-j", "86400"]).is_ok());
}

#[test]
fn times_may_have_units() {
    for (word, seconds) in [
        ("90", 90.0),
        ("90s", 90.0),
        ("1m", 60.0),
        ("2h", 7200.0),
        ("1m30s", 90.0),
        ("1.5h", 5400.0),
        ("1d2h3m4s500ms", 93_784.5),
        ("1h1s", 3601.0),
        ("250ms", 0.25),
        ("1e2", 100.0),
    ] {
        let arguments = read(&["--duration", word]).expect(word);
        let expected = Some(Duration::from_secs_f64(seconds));
        assert_eq!(arguments.output.duration, expected, "{word}");
    }
}

#[test]
fn times_out_of_range_are_usage_errors_that_say_the_range() {
    for (words, part) in [
        (["-t", "0.09"], "must be at least 0.1 s"),
        (["-t", "-1"], "must be at least 0.1 s"),
        (["-t", "nan"], "finite"),
        (["-t", "inf"], "finite"),
        (["-t", "1x"], "expected a number of seconds"),
        (["-t", "30s1m"], "or a time such as 1m30s"),
        (["-t", "50ms"], "must be at least 0.1 s"),
        (["-j", "2d"], "must be at most 86400 s"),
        (["--duration", "0h0s"], "must be more than 0 s"),
        (["--duration", "m"], "expected a number of seconds"),
        (["--duration", "1m1m"], "expected a number of seconds"),
        (["-t", ""], ""),
        (["-j", "0"], "must be more than 0 s"),
        (["-j", "1e-30"], "must be more than 0 s"),
        (["-j", "86401"], "must be at most 86400 s"),
        (["--duration", "0"], "must be more than 0 s"),
        (["--duration", "1e300"], "must be at most"),
    ] {
        let text = error(&words);
        assert!(text.contains(part), "{text}");
        assert!(text.contains(words[0]), "{text}");
    }
}

#[test]
fn other_usage_errors_are_one_line_with_advice() {
    for (words, part) in [
        (&["--jsn"][..], "--json"),
        (&["--color", "blue"], "auto, always, never"),
        (&["--json", "--text"], "cannot be used with"),
        (&["--max-flows", "0"], "--max-flows"),
        (&["--max-flows", "99999999999"], "--max-flows"),
        (&["--count", "0"], "--count"),
        (&["--top", "ten"], "--top"),
        (&["--filter", "udp port:99999"], "99999: not a port"),
        (&["--filter", "jiter>1"], "did you mean jitter?"),
        (&["--filter", "loss>"], "not a number"),
        (&["--filter", "loss > "], "<EXPR>': not a number"),
        (
            &["--assert", "udp => los<1"],
            "los: not a number to compare (did you mean loss?), at character 8",
        ),
        (
            &["--assert", "=> loss<1", "--assert", "udp"],
            "a check is SELECTION => CONDITION",
        ),
        (
            &["--assert", "=> loss<1 malformed=0"],
            "loss: this is of flows",
        ),
        (&["--wait-for", "port:99999"], "99999: not a port"),
        (&["veth1"], "interfaces go behind -i"),
        (&["--filter", "dst:10.0.0.2:443"], "(10.0.0.2 port:443)"),
        (&["--filter", "src:[fe80::1]:80"], "(fe80::1 port:80)"),
        (&["--sort", "-jiter"], "did you mean jitter"),
        (&["--sort", "blue"], "there is no such column"),
        (
            &["--columns", "source,jiter"],
            "\"jiter\": there is no such column (did you mean jitter",
        ),
        (&["--columns", "source,"], "\"\": there is no such column"),
        (
            &["--columns", "rate,ttl,throughput"],
            "\"throughput\" is there twice",
        ),
        (&["--json", "--columns", "rate"], "cannot be used with"),
        (&["--rotate", "100M:10"], "--output"),
        (&["--output", "f", "--rotate", "100M"], "such as 100M:10"),
        (&["--output", "f", "--rotate", "0:10"], "such as 100M:10"),
        (&["--output", "f", "--rotate", "1T:10"], "such as 100M:10"),
        (&["--output", "f", "--rotate", "1K:1"], "2 to 1000 files"),
        (&["--output", "f", "--rotate", "99999999999G:10"], "such as"),
        (&["-i", "eth0,"], "\"\" can't be the name of an interface"),
        (
            &["-i", "eth 0"],
            "\"eth 0\" can't be the name of an interface",
        ),
        (&["-c"], "--config"),
        (&["eth0"], "eth0"),
        (&["--check-config", "--print-config"], "cannot be used with"),
        (&["-l", "-l"], "--packet-loss"),
    ] {
        let text = error(words);
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn checks_of_the_command_line_take_the_place_of_those_of_the_file() {
    let texts = |config: &Config| -> Vec<String> {
        let texts = config.checks.iter().map(|check| check.text().to_owned());
        texts.collect()
    };
    let file = || Config::load(r#"{"ASSERT": ["=> loss<1"]}"#, "").expect("valid");
    let none = read(&[]).expect("valid").overrides.over(file());
    assert_eq!(texts(&none), ["=> loss<1"]);
    let words = ["--assert", "tcp => flows=0", "--assert", "=> drops=0"];
    let own = read(&words).expect("valid").overrides.over(file());
    assert_eq!(texts(&own), ["tcp => flows=0", "=> drops=0"]);
}

#[test]
fn a_rotation_is_a_size_in_powers_of_1000_and_a_number_of_files() {
    let read = |word| {
        let arguments = read(&["--output", "f", "--rotate", word]).expect("valid");
        let rotation = arguments.output.rotate.expect("a rotation");
        (rotation.size, rotation.files)
    };
    assert_eq!(read("100M:10"), (100_000_000, 10));
    assert_eq!(read("8K:2"), (8000, 2));
    assert_eq!(read("1G:1000"), (1_000_000_000, 1000));
    assert_eq!(read("512:3"), (512, 3));
}

#[test]
fn help_names_every_option_and_has_examples() {
    let help = printed("--help");
    for option in [
        "-i, --interface",
        "-t, --throughput-interval",
        "-j, --jitter-interval",
        "-b, --bits",
        "-l, --packet-loss",
        "-c, --config",
        "--json",
        "--text",
        "--duration",
        "--count",
        "--max-flows",
        "--check-config",
        "--print-config",
        "--demo",
        "--color",
        "--ascii",
        "-h, --help",
        "-V, --version",
        "Examples:",
    ] {
        assert!(help.contains(option), "{option}\n{help}");
    }
    assert!(printed("-h").contains("Examples:"));
    assert_eq!(
        printed("-V"),
        format!("flowtop {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn exit_codes_are_those_that_scripts_know() {
    let codes = [
        Exit::Fine,
        Exit::Failed,
        Exit::Usage,
        Exit::Unavailable,
        Exit::Privilege,
        Exit::Config,
    ];
    assert_eq!(codes.map(Exit::code), [0, 1, 2, 69, 77, 78]);
}

#[test]
fn a_failure_is_a_line_for_each_line_of_its_message() {
    let failure = Failure::new(Exit::Config, "config.json:1:1: a\nconfig.json:2:1: b");
    let lines = "flowtop: config.json:1:1: a\nflowtop: config.json:2:1: b";
    assert_eq!(failure.to_string(), lines);
}

#[test]
fn an_order_is_named_by_id_or_short_name_and_wins_over_the_file() {
    for (word, id) in [
        ("-loss", "-loss_percent"),
        ("packets", "packets"),
        ("-rate", "-throughput"),
    ] {
        let arguments = read(&["--sort", word]).expect("valid");
        let config = arguments.overrides.over(Config::default());
        assert_eq!(config.appearance.sort.id(), id);
    }
    let arguments = read(&["--filter", "!tcp and loss > 1"]).expect("valid");
    assert_eq!(
        arguments.output.filter.as_deref(),
        Some("!tcp and loss > 1")
    );
    let by_default = read(&[]).expect("valid").overrides.over(Config::default());
    assert_eq!(
        by_default.appearance.sort,
        Config::default().appearance.sort
    );
}

#[test]
fn the_command_line_wins_over_the_file() {
    let text = r#"{"THROUGHPUT_INTERVAL": 2, "INTERFACES": ["eth0"], "UNIT": "bytes"}"#;
    let file = Config::load(text, "config.json").expect("valid");
    assert_eq!(Overrides::default().over(file.clone()), file);
    let words = "-i veth*,eth1 -i veth* -t 5 -b -l --max-flows 1000";
    let words: Vec<&str> = words.split(' ').collect();
    let both = read(&words).expect("valid").overrides.over(file);
    let interfaces: Vec<&str> = both.interfaces.iter().map(|glob| glob.as_str()).collect();
    assert_eq!(interfaces, ["veth*", "eth1"]);
    assert_eq!(both.throughput_interval, Duration::from_secs(5));
    assert_eq!(both.jitter_window(), Duration::from_secs(5));
    assert_eq!(both.appearance.unit, Unit::Bits);
    assert!(both.appearance.packet_loss);
    assert_eq!(both.max_flows, 1000);
}
