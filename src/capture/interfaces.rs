//! The interfaces that a capture describes, each once, however many sections say the same of it.

use std::collections::HashMap;

use super::Interface;

/// That are told apart; those beyond are one together.
const MOST: usize = 1000;
const BEYOND: &str = "others";

/// The interfaces so far.
#[derive(Debug, Default)]
pub struct Interfaces {
    all: Vec<Interface>,
    by_description: HashMap<(String, u16), usize>,
}

impl Interfaces {
    /// The index of an interface of this name and link type.
    pub fn index_of(&mut self, name: String, link_type: u16) -> usize {
        if let Some(index) = self.by_description.get(&(name.clone(), link_type)) {
            return *index;
        }
        if self.all.len() > MOST {
            return MOST;
        }
        let name = match self.all.len() {
            MOST => BEYOND.to_owned(),
            _ => name,
        };
        self.all.push(Interface {
            name: name.clone(),
            link_type,
        });
        let index = self.all.len() - 1;
        self.by_description.insert((name, link_type), index);
        index
    }

    /// All of them.
    pub fn all(&self) -> &[Interface] {
        &self.all
    }
}
