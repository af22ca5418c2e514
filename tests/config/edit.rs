//! Changes to a file: only what has to change does.

use flowtop::config::{Config, edited};
use flowtop::model::column::FLOW_COLUMNS;
use flowtop::model::preferences::{ThemeName, Unit};

use super::json_files;

fn edit(text: &str, change: impl FnOnce(&mut Config)) -> String {
    edited(text, "config.json", change).expect("valid")
}

fn to_bits(config: &mut Config) {
    config.appearance.unit = Unit::Bits;
}

#[test]
fn a_value_is_replaced_where_it_stands() {
    let text = "{\n\t\"UNIT\"  :  \"bytes\" ,\n\n\t\"RULES\": [\"- - - 53 UDP\"]}";
    let expected = text.replace("bytes", "bits");
    assert_eq!(edit(text, to_bits), expected);
}

#[test]
fn a_new_key_comes_last_and_is_indented_like_the_others() {
    for (text, expected) in [
        ("{}", "{\n  \"UNIT\": \"bits\"\n}"),
        ("{ \n }\n", "{\n  \"UNIT\": \"bits\"\n}\n"),
        (
            "{\n    \"OFFSET\": 4\n}\n",
            "{\n    \"OFFSET\": 4,\n    \"UNIT\": \"bits\"\n}\n",
        ),
        ("{\"OFFSET\": 4}", "{\"OFFSET\": 4, \"UNIT\": \"bits\"}"),
        (
            "{\n  \"OFFSET\": 4, \"MAX_FLOWS\": 9\n}",
            "{\n  \"OFFSET\": 4, \"MAX_FLOWS\": 9, \"UNIT\": \"bits\"\n}",
        ),
        (
            "\u{feff}{\r\n  \"OFFSET\": 4\r\n}\r\n",
            "\u{feff}{\r\n  \"OFFSET\": 4,\r\n  \"UNIT\": \"bits\"\r\n}\r\n",
        ),
    ] {
        assert_eq!(edit(text, to_bits), expected);
    }
}

#[test]
fn what_is_meant_already_is_not_written() {
    for text in ["{}", "{\"UNIT\": \"bytes\"}", "\u{feff}{}"] {
        assert_eq!(
            edit(text, |config| config.appearance.unit = Unit::Bytes),
            text
        );
    }
}

#[test]
fn every_valid_file_can_be_changed_and_means_the_rest_as_before() {
    for path in json_files("valid") {
        let text = std::fs::read_to_string(&path).expect("file");
        let change = |config: &mut Config| {
            config.appearance.unit = Unit::Bits;
            config.appearance.theme = ThemeName::HighContrast;
            config.appearance.packet_loss = true;
            config.appearance.columns = vec![&FLOW_COLUMNS[1], &FLOW_COLUMNS[0]];
        };
        let changed = edit(&text, change);
        let mut expected = Config::load(&text, "").expect("valid");
        change(&mut expected);
        let found = Config::load(&changed, "");
        assert_eq!(found, Ok(expected), "{}", path.display());
    }
}

#[test]
fn a_file_with_errors_is_not_touched() {
    for path in json_files("invalid") {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let outcome = edited(&text, "config.json", to_bits);
        assert!(outcome.is_err(), "{}", path.display());
    }
}
