//! Manual pages and completions in `packaging` are what the command line says: made here from it, and kept as files,
//! so that nothing is needed at run time or at installation to make them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory};
use clap_complete::{Shell, generate};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use flowtop::cli::Arguments;

const MANUAL: &str = "Network flows";
const SOURCE: &str = concat!("flowtop ", env!("CARGO_PKG_VERSION"));

/// A file of `packaging` -> what is in it.
type Files = BTreeMap<PathBuf, String>;

/// Rows of the first table below this line of a document, as cells without backquotes.
fn rows_of(document: &str, head: &str) -> Vec<Vec<String>> {
    let text = super::read(document);
    let start = text.find(head).expect("the table");
    let rows = text[start..].lines().skip(2);
    rows.take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells = line.trim_matches('|').split('|');
            cells.map(|cell| cell.trim().replace('`', "")).collect()
        })
        .collect()
}

/// What README.md says first.
fn description(page: &mut Roff) {
    let readme = super::read("README.md");
    let paragraph = readme.split("\n\n").nth(1).expect("a first paragraph");
    page.control("SH", ["DESCRIPTION"]);
    page.text([roman(paragraph.replace('\n', " "))]);
}

fn examples(page: &mut Roff, command: &Command) {
    let Some(help) = command.get_after_help() else {
        return;
    };
    let help = help.to_string();
    page.control("SH", ["EXAMPLES"]).control("nf", []);
    for line in help.trim_start_matches("Examples:\n").lines() {
        page.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
    }
    page.control("fi", []);
}

fn exit_status(page: &mut Roff) {
    page.control("SH", ["EXIT STATUS"]);
    for row in rows_of(super::CONFIGURATION, "| exit code |") {
        page.control("TP", []);
        page.text([bold(&*row[0])]).text([roman(&*row[1])]);
    }
}

/// A section of entries, each a row's first cells and what they are.
fn entries(page: &mut Roff, title: &str, intro: &str, rows: Vec<Vec<String>>, text_at: usize) {
    page.control("SH", [title]).text([roman(intro)]);
    for row in rows {
        page.control("TP", []);
        page.text([bold(row[..text_at].join(", "))]);
        page.text([roman(&*row[text_at])]);
    }
}

fn keys_and_filters(page: &mut Roff) {
    let keys = rows_of("README.md", "| key |").into_iter().map(|row| {
        let [keys, what, name] = <[String; 3]>::try_from(row).expect("three cells");
        vec![keys.replace(' ', ", "), format!("{what} ({name})")]
    });
    let intro = "What is in parentheses is the name in KEYS of the configuration.";
    entries(page, "KEYS", intro, keys.collect(), 1);
    let intro = "Words and terms, with and, or, not (or !) and brackets; terms beside each other are joined by and, which \
                 binds more than or. A word is looked for in addresses, ports, names, interface, VLAN and rule, and udp is the protocol; loss > 1, jitter<=5ms, rate > 10 Mbps compare any column of \
                 numbers by its id, short name or header. As for tcpdump: src host 10.0.0.1 and not port \
                 22.";
    entries(page, "FILTERS", intro, rows_of("README.md", "| field |"), 1);
}

fn configuration(page: &mut Roff) {
    let settings = rows_of(super::CONFIGURATION, "| key | default |");
    let settings = settings
        .into_iter()
        .map(|row| vec![format!("{} (default: {})", row[0], row[1]), row[2].clone()]);
    let intro = "JSON, read at the start and again whenever it changes. A good file takes effect without losing a flow; \
                 a bad one changes nothing, and is told.";
    entries(page, "CONFIGURATION", intro, settings.collect(), 1);
    page.control("SS", ["Keys of a rule"]);
    for row in rows_of(super::CONFIGURATION, "| key of a rule |") {
        page.control("TP", []);
        page.text([bold(&*row[0])]).text([roman(&*row[1])]);
    }
}

fn files_and_environment(page: &mut Roff) {
    let rows = |pairs: &[(&str, &str)]| -> Vec<Vec<String>> {
        let row = |(name, text): &(&str, &str)| vec![(*name).to_owned(), (*text).to_owned()];
        pairs.iter().map(row).collect()
    };
    let files = [
        (
            "./config.json, $XDG_CONFIG_HOME/flowtop/config.json, /etc/flowtop/config.json",
            "the configuration: the first that exists, unless -c names one",
        ),
        (
            "flowtop-*.json, flowtop-*.csv",
            "what the key e writes, in the working folder",
        ),
        (
            "/usr/share/doc/flowtop",
            "docs/numbers.md, docs/configuration.md, docs/json.md and others, and an example configuration",
        ),
        (
            "/var/log/flowtop/flowtop.jsonl",
            "the records of the service",
        ),
        ("/var/lib/flowtop", "the recording of the service"),
    ];
    entries(page, "FILES", "", rows(&files), 1);
    let environment = [
        ("NO_COLOR", "if set, no colours, unless --color=always"),
        ("TERM, COLORTERM", "how many colours the terminal has"),
        (
            "XDG_CONFIG_HOME",
            "where the user's configuration is; if not set: $HOME/.config",
        ),
        (
            "SUDO_UID",
            "set by sudo: whom the run goes on as, and whose configuration is read",
        ),
        (
            "SSH_CONNECTION",
            "the SSH session that the run is in, which is marked among the flows",
        ),
        (
            "TZ",
            "time zone of the times on the screen and in names of files",
        ),
    ];
    entries(page, "ENVIRONMENT", "", rows(&environment), 1);
}

fn notes(page: &mut Roff) {
    page.control("SH", ["NOTES"]).text([roman(
        "netsniff-ng has a program of the same name, flowtop(8). flowtop-bpf is always this one.",
    )]);
    page.control("SH", ["SEE ALSO"]).text([roman(
        "ip(8), tc(8), bpf(2), capabilities(7); numbers.md, installed with flowtop, says what the numbers mean.",
    )]);
}

/// The page of a command; what concerns all of them is on the first.
fn manual_page(command: &Command, is_first: bool) -> String {
    let man = Man::new(command.clone()).source(SOURCE).manual(MANUAL);
    let mut page = Vec::new();
    let section = |written: std::io::Result<()>| written.expect("a section");
    section(man.render_title(&mut page));
    section(man.render_name_section(&mut page));
    section(man.render_synopsis_section(&mut page));
    if is_first {
        let mut roff = Roff::new();
        description(&mut roff);
        section(roff.to_writer(&mut page));
    } else {
        section(man.render_description_section(&mut page));
    }
    section(man.render_options_section(&mut page));
    if command.has_subcommands() {
        section(man.render_subcommands_section(&mut page));
    }
    let mut rest = Roff::new();
    examples(&mut rest, command);
    if is_first {
        keys_and_filters(&mut rest);
        configuration(&mut rest);
        files_and_environment(&mut rest);
        exit_status(&mut rest);
        notes(&mut rest);
    }
    section(rest.to_writer(&mut page));
    let page = String::from_utf8(page).expect("UTF-8");
    // Each part begins with the same definitions; once is enough.
    let definitions = Roff::new().render();
    definitions.clone() + &page.replace(&definitions, "")
}

fn manual(files: &mut Files) {
    let mut command = Arguments::command().disable_help_subcommand(true);
    command.build();
    let first = Path::new("man/flowtop.1").to_owned();
    files.insert(first, manual_page(&command, true));
    for subcommand in command.get_subcommands() {
        let path = format!("man/flowtop-{}.1", subcommand.get_name());
        files.insert(path.into(), manual_page(subcommand, false));
    }
}

/// The completion with the interfaces of the machine behind `-i`, each one of a comma list. Names are taken as they are: nothing
/// in one is expanded.
fn with_interfaces(shell: Shell, text: &str) -> String {
    let (changes, function) = match shell {
        Shell::Bash => (
            ["--interface", "-i"].map(|option| {
                let case = |action: &str| format!("{option})\n                    {action}\n");
                (
                    case("COMPREPLY=($(compgen -f \"${cur}\"))"),
                    case("_flowtop_interfaces \"${cur}\""),
                )
            }),
            BASH_INTERFACES,
        ),
        Shell::Zsh => (
            ["'*-i+", "'*--interface="].map(|option| {
                let line = text.lines().find(|line| line.starts_with(option));
                let line = line.expect("the option").to_owned();
                let changed = line.replace(":NAME:_default", ":NAME:_flowtop_interfaces");
                (line, changed)
            }),
            ZSH_INTERFACES,
        ),
        _ => {
            let line = text.lines().find(|line| line.contains("-l interface"));
            let line = line.expect("the option").to_owned();
            // The condition fails as long as an option lacks its argument.
            let always = line.replace(" -n \"__fish_flowtop_needs_command\"", "");
            let changed = format!("{always} -f -a \"(__flowtop_interfaces)\"");
            ([(line, changed), Default::default()], FISH_INTERFACES)
        }
    };
    let mut text = text.to_owned();
    for (before, after) in changes.into_iter().filter(|(before, _)| !before.is_empty()) {
        assert!(
            text.contains(&before),
            "the completion for {shell} is made otherwise"
        );
        text = text.replacen(&before, &after, 1);
    }
    match text.strip_prefix("#compdef flowtop\n") {
        Some(rest) => format!("#compdef flowtop\n{function}{rest}"),
        None => format!("{function}{text}"),
    }
}

/// The completion of zsh with names of values such as `SIZE:COUNT` as they are: an unescaped colon would end the name, and what
/// stands behind it would be run.
fn with_whole_names(mut text: String) -> String {
    for option in Arguments::command().get_arguments() {
        for name in option.get_value_names().unwrap_or_default() {
            let whole = name.replace(':', "\\:");
            text = text.replace(&format!("]:{name}:"), &format!("]:{whole}:"));
        }
    }
    text
}

const BASH_INTERFACES: &str = r#"# Interfaces, also behind the commas of a list.
_flowtop_interfaces() {
    local path list=""
    [[ $1 == *,* ]] && list="${1%,*},"
    compopt -o nospace 2>/dev/null
    COMPREPLY=()
    for path in /sys/class/net/*; do
        [[ -d $path && $list${path##*/} == "$1"* ]] && COMPREPLY+=("$list$(printf %q "${path##*/}")")
    done
}

"#;

const ZSH_INTERFACES: &str = r#"
# Interfaces, also behind the commas of a list.
_flowtop_interfaces() {
    _sequence _flowtop_interface "$@"
}

_flowtop_interface() {
    local -a names
    names=(/sys/class/net/*(N-/:t))
    compadd "$@" -a names
}
"#;

const FISH_INTERFACES: &str = r#"# Interfaces, also behind the commas of a list.
function __flowtop_interfaces
    set -l list (string match -r '^.*,' -- (commandline -ct | string replace -r '^(--interface=|-i)' ''))
    for path in /sys/class/net/*/
        echo "$list"(string split -- / $path)[-2]
    end
end

"#;

fn completions(files: &mut Files) {
    for (shell, name) in [
        (Shell::Bash, "flowtop.bash"),
        (Shell::Zsh, "_flowtop"),
        (Shell::Fish, "flowtop.fish"),
    ] {
        let mut text = Vec::new();
        generate(shell, &mut Arguments::command(), "flowtop", &mut text);
        let mut text = with_interfaces(shell, &String::from_utf8(text).expect("UTF-8"));
        if shell == Shell::Zsh {
            text = with_whole_names(text);
        }
        files.insert(Path::new("completions").join(name), text);
    }
}

#[test]
fn manual_pages_and_completions_are_what_the_command_line_says() {
    let mut expected = Files::new();
    manual(&mut expected);
    completions(&mut expected);
    let packaging = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging");
    if std::env::var_os("FLOWTOP_UPDATE_README").is_some() {
        for (path, text) in &expected {
            fs::write(packaging.join(path), text).expect("write");
        }
    }
    for folder in ["man", "completions"] {
        for entry in fs::read_dir(packaging.join(folder)).expect("a folder") {
            let path = Path::new(folder).join(entry.expect("an entry").file_name());
            assert!(expected.contains_key(&path), "{} is stale", path.display());
        }
    }
    for (path, text) in expected {
        let kept = fs::read_to_string(packaging.join(&path)).unwrap_or_default();
        assert!(
            kept == text,
            "packaging/{} is not what the code says (FLOWTOP_UPDATE_README=1 writes it)",
            path.display()
        );
    }
}

/// The parts between unescaped colons.
fn split_at_colons(text: &str) -> Vec<String> {
    let (mut parts, mut is_escaped) = (vec![String::new()], false);
    for c in text.chars() {
        match c {
            ':' if !is_escaped => parts.push(String::new()),
            _ => parts.last_mut().expect("a part").push(c),
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    parts
}

#[test]
fn each_value_has_one_name_and_one_action_in_zsh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/completions/_flowtop");
    let text = fs::read_to_string(path).expect("the completion");
    let specs = text
        .lines()
        .filter(|line| line.starts_with("'") && line.contains('['));
    let mut names = Vec::new();
    for line in specs {
        let end = line.match_indices(']').map(|(at, _)| at);
        let end = end.clone().find(|at| !line[..*at].ends_with('\\'));
        let behind = &line[end.expect("the end of the help") + 1..];
        let behind = behind.trim_end_matches(" \\").trim_end_matches('\'');
        match &split_at_colons(behind)[..] {
            [flag] => assert_eq!(flag, "", "{line}"),
            [nothing, name, _action] if nothing.is_empty() => names.push(name.replace('\\', "")),
            _ => panic!("{line}"),
        }
    }
    for name in ["SIZE:COUNT", "[ADDRESS:]PORT", "HOST:PORT"] {
        assert!(names.iter().any(|known| known == name), "{name}: {names:?}");
    }
}

/// What a shell offers for the word that is typed last; nothing where there is no such shell.
fn completed(shell: &str, script: &str) -> Option<Vec<String>> {
    let mut command = std::process::Command::new(shell);
    let command = command
        .args(["-c", script])
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = command.output().ok()?;
    assert!(output.status.success(), "{shell}: {output:?}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    // fish has a description behind a tab.
    let words = text.lines().filter_map(|line| line.split('\t').next());
    let mut offered: Vec<String> = words.map(|word| word.trim().to_owned()).collect();
    offered.sort();
    Some(offered)
}

/// A completion that finds interfaces in this folder, not where those of the machine come and go.
fn completion_of(folder: &Path, file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/completions");
    let text = fs::read_to_string(path.join(file)).expect("the completion");
    let own = text.replace("/sys/class/net", folder.to_str().expect("UTF-8"));
    assert_ne!(own, text);
    own
}

#[test]
fn interfaces_are_completed_also_behind_a_comma() {
    let folder = tempfile::tempdir().expect("a folder");
    let names = ["eth0", "lo", "wlan0"];
    for name in names {
        fs::create_dir(folder.path().join(name)).expect("an interface");
    }
    // As where the driver of bonds is loaded.
    fs::write(folder.path().join("bonding_masters"), "").expect("a file");
    let bash = completion_of(folder.path(), "flowtop.bash");
    let fish = completion_of(folder.path(), "flowtop.fish");
    for before in ["", "lo,"] {
        let expected: Vec<String> = names.iter().map(|name| format!("{before}{name}")).collect();
        let bash = format!(
            "{bash}\nCOMP_WORDS=(flowtop -i '{before}'); COMP_CWORD=2; \
             _flowtop flowtop '{before}' -i; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        assert_eq!(completed("bash", &bash).as_ref(), Some(&expected), "bash");
        let fish = format!("{fish}\ncomplete -C 'flowtop -i {before}'");
        if let Some(offered) = completed("fish", &fish) {
            assert_eq!(offered, expected, "fish");
        }
    }
}
