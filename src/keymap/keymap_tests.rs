//! The table of bindings, and what the configuration may change of it.

use std::collections::HashSet;

use super::*;

#[test]
fn every_action_has_a_row_of_its_own_and_keys_that_can_be_read() {
    for action in Action::ALL {
        let row = action.row();
        assert_eq!(row.action, action);
        assert!(
            !row.keys.is_empty() && !action.help().is_empty(),
            "{}",
            row.id
        );
        for key in row.keys {
            let chord = parse_chord(key).expect(key);
            assert_eq!(Keymap::default().action(chord), Some(action), "{key}");
        }
    }
    let ids: HashSet<_> = Action::ALL.map(Action::id).into();
    assert_eq!(ids.len(), Action::ALL.len());
}

#[test]
fn an_override_replaces_all_keys_of_its_action() {
    let chord = parse_chord("F5").expect("a key");
    let keymap = Keymap::with_overrides([(Action::Pause, vec![chord])]).expect("no conflict");
    assert_eq!(keymap.action(chord), Some(Action::Pause));
    assert_eq!(keymap.action(parse_chord("p").expect("a key")), None);
    assert_eq!(keymap.keys_text(Action::Pause), "F5");
}

#[test]
fn one_key_always_quits_whatever_the_overrides_say() {
    let always = parse_chord(ALWAYS_QUITS).expect("a key");
    let other = parse_chord("F5").expect("a key");
    for keys in [vec![], vec![other], vec![always, other]] {
        let keymap = Keymap::with_overrides([(Action::Quit, keys)]).expect("no conflict");
        assert_eq!(keymap.action(always), Some(Action::Quit));
    }
    let taken = [(Action::Quit, vec![other]), (Action::Pause, vec![always])];
    assert!(Keymap::with_overrides(taken).is_err());
}

#[test]
fn a_conflict_names_both_actions() {
    let chord = parse_chord("q").expect("a key");
    let error = Keymap::with_overrides([(Action::Pause, vec![chord])]).expect_err("a conflict");
    assert_eq!(error, "the key q is claimed by quit and by pause");
}
