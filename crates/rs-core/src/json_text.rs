//! Edits of JSON text that leave everything else as it is: blanks, the order of keys, how numbers are written.
//!
//! An object or a list is read as the places of its items; what is set or added becomes [`Edit`]s of the text. Items that
//! are added look like the last one before them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use crate::lexer::{LexError, Lexer};

/// A piece of a text and what stands there instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Bytes of the text before; empty where something is put in.
    pub range: Range<usize>,
    /// What stands there after.
    pub text: String,
}

/// The text after edits, which are in order and do not overlap, as [`ObjectText::edits`] gives them.
#[must_use]
pub fn apply(text: &str, edits: &[Edit]) -> String {
    let mut edited = String::with_capacity(text.len() + edits.iter().map(|edit| edit.text.len()).sum::<usize>());
    let mut at = 0;
    for edit in edits {
        edited.push_str(&text[at..edit.range.start]);
        edited.push_str(&edit.text);
        at = edit.range.end;
    }
    edited.push_str(&text[at..]);
    edited
}

/// Text as a JSON string.
#[must_use]
pub fn string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The members of an object, and what is to become of them.
#[derive(Debug, Clone)]
pub struct ObjectText<'a> {
    items: Items<'a>,
    /// Names, beside the items.
    names: Vec<Cow<'a, str>>,
    /// Names of the items that are added, beside them.
    new_names: Vec<String>,
    /// What stands between the last key and its value.
    colon: &'a str,
}

impl<'a> ObjectText<'a> {
    /// Reads the text of an object.
    ///
    /// # Errors
    /// It is no JSON object.
    pub fn parse(text: &'a str) -> Result<Self, LexError> {
        let mut lexer = Lexer::new(text.as_bytes());
        lexer.peek();
        let mut items = Items::new(text, lexer.position());
        let (mut names, mut colon) = (Vec::new(), ": ");
        lexer.members(|lexer, key| {
            let start = items.next_start();
            let value = lexer.position();
            // Two quotes beside what is between them.
            colon = &text[start + key.raw.len() + 2..value];
            lexer.value()?;
            items.push(start, value..lexer.position());
            names.push(key.decode());
            Ok(())
        })?;
        lexer.end()?;
        Ok(Self { items, names, new_names: Vec::new(), colon })
    }

    /// The text of a member's value. Of a key that stands twice the last counts.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.position(name).map(|at| self.items.value(at))
    }

    /// Sets a member to the text of a JSON value; one that is not there is added at the end.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        let value = value.into();
        if let Some(at) = self.position(name) {
            self.items.replaced.insert(at, value);
            return;
        }
        let item = format!("{}{}{value}", string(name), self.colon);
        match self.new_names.iter().position(|known| known == name) {
            Some(at) => self.items.added[at] = item,
            None => {
                self.new_names.push(name.to_owned());
                self.items.added.push(item);
            }
        }
    }

    /// What [`ObjectText::set`] amounts to, in order.
    #[must_use]
    pub fn edits(&self) -> Vec<Edit> {
        let is_loose = self.colon.ends_with([' ', '\t']);
        self.items.edits(if is_loose { " " } else { "" })
    }

    /// The text as it is to be.
    #[must_use]
    pub fn edited(&self) -> String {
        apply(self.items.text, &self.edits())
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.names.iter().rposition(|known| known == name)
    }
}

/// The elements of a list, and what is to become of them.
#[derive(Debug, Clone)]
pub struct ListText<'a> {
    items: Items<'a>,
}

impl<'a> ListText<'a> {
    /// Reads the text of a list.
    ///
    /// # Errors
    /// It is no JSON list.
    pub fn parse(text: &'a str) -> Result<Self, LexError> {
        let mut lexer = Lexer::new(text.as_bytes());
        lexer.peek();
        let mut items = Items::new(text, lexer.position());
        lexer.expect(b'[')?;
        let mut goes_on = !lexer.take(b']');
        while goes_on {
            lexer.peek();
            let start = lexer.position();
            lexer.value()?;
            items.push(start, start..lexer.position());
            goes_on = lexer.take(b',');
            if !goes_on {
                lexer.expect(b']')?;
            }
        }
        lexer.end()?;
        Ok(Self { items })
    }

    /// The texts of its elements.
    pub fn elements(&self) -> impl Iterator<Item = &'a str> {
        (0..self.items.places.len()).map(|at| self.items.value(at))
    }

    /// Sets the element at a position that is there to the text of a JSON value.
    pub fn set(&mut self, position: usize, value: impl Into<String>) {
        self.items.replaced.insert(position, value.into());
    }

    /// Adds an element at the end: the text of a JSON value.
    pub fn push(&mut self, value: impl Into<String>) {
        self.items.added.push(value.into());
    }

    /// The text as it is to be.
    #[must_use]
    pub fn edited(&self) -> String {
        apply(self.items.text, &self.items.edits(" "))
    }
}

/// What objects and lists have in common.
#[derive(Debug, Clone)]
struct Items<'a> {
    text: &'a str,
    /// Where the bracket stands.
    open: usize,
    places: Vec<Place>,
    /// New values, by the position of the item.
    replaced: BTreeMap<usize, String>,
    /// New items, with their keys.
    added: Vec<String>,
}

/// Where an item stands.
#[derive(Debug, Clone)]
struct Place {
    /// Its key, or the value if there is none.
    start: usize,
    value: Range<usize>,
}

impl<'a> Items<'a> {
    fn new(text: &'a str, open: usize) -> Self {
        Self { text, open, places: Vec::new(), replaced: BTreeMap::new(), added: Vec::new() }
    }

    fn push(&mut self, start: usize, value: Range<usize>) {
        self.places.push(Place { start, value });
    }

    fn value(&self, at: usize) -> &'a str {
        &self.text[self.places[at].value.clone()]
    }

    /// Behind the bracket or comma after this many items.
    fn behind_separator(&self, n_items: usize) -> usize {
        match n_items.checked_sub(1).map(|last| self.places[last].value.end) {
            None => self.open + 1,
            Some(end) => self.after_blanks(end) + 1,
        }
    }

    /// Where the item after those that are known begins.
    fn next_start(&self) -> usize {
        self.after_blanks(self.behind_separator(self.places.len()))
    }

    fn after_blanks(&self, at: usize) -> usize {
        let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        at + self.text.as_bytes()[at..].iter().take_while(|byte| is_blank(byte)).count()
    }

    /// What stands before the last item, as something that may stand before one more.
    fn lead(&self, of_one_line: &'a str) -> &'a str {
        let Some(last) = self.places.last() else { return of_one_line };
        let lead = &self.text[self.behind_separator(self.places.len() - 1)..last.start];
        // Before the only item of a line there need be no blank.
        if self.places.len() == 1 && !lead.contains('\n') { of_one_line } else { lead }
    }

    fn edits(&self, of_one_line: &'a str) -> Vec<Edit> {
        let mut edits: Vec<Edit> = self
            .replaced
            .iter()
            .map(|(at, text)| Edit { range: self.places[*at].value.clone(), text: text.clone() })
            .collect();
        let lead = self.lead(of_one_line);
        let end = self.places.last().map_or(self.open + 1, |last| last.value.end);
        for (position, item) in self.added.iter().enumerate() {
            let is_first = position == 0 && self.places.is_empty();
            let text = if is_first { item.clone() } else { format!(",{lead}{item}") };
            edits.push(Edit { range: end..end, text });
        }
        edits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    #[track_caller]
    fn check(text: &str, sets: &[(&str, &str)], edited: &str) {
        let mut object = ObjectText::parse(text).expect("is an object");
        sets.iter().for_each(|(name, value)| object.set(name, *value));
        assert_eq!(object.edited(), edited);
    }

    #[test]
    fn members_are_set_and_added_in_the_style_of_the_text() {
        check(r#" {"a":1,"b" :  2 } "#, &[("b", "3"), ("c", "[4]")], r#" {"a":1,"b" :  3,"c" :  [4] } "#);
        check(r#"{"a": 1}"#, &[("b", "2"), ("c", "3")], r#"{"a": 1, "b": 2, "c": 3}"#);
        check(r#"{"a":1}"#, &[("b", "2")], r#"{"a":1,"b":2}"#);
        check("{\r\n\t\"a\": 1\r\n}", &[("b", "2")], "{\r\n\t\"a\": 1,\r\n\t\"b\": 2\r\n}");
        check("{ }", &[("b", "2"), ("c", "3")], "{\"b\": 2, \"c\": 3 }");
        check("{}", &[("b", "2"), ("b", "3")], "{\"b\": 3}");
    }

    #[test]
    fn of_a_key_that_stands_twice_the_last_counts() {
        check(r#"{"a":1,"\u0061":2}"#, &[("a", "3")], r#"{"a":1,"\u0061":3}"#);
        assert_eq!(ObjectText::parse(r#"{"a":1,"a":2}"#).expect("is an object").get("a"), Some("2"));
    }

    #[test]
    fn elements_are_set_and_added() {
        let mut list = ListText::parse("[\n  1,\n  2\n]\n").expect("is a list");
        assert_eq!(list.elements().collect::<Vec<_>>(), ["1", "2"]);
        list.set(0, "7");
        list.push("3");
        assert_eq!(list.edited(), "[\n  7,\n  2,\n  3\n]\n");
        let mut list = ListText::parse("[ ]").expect("is a list");
        list.push("1");
        list.push("2");
        assert_eq!(list.edited(), "[1, 2 ]");
    }

    #[test]
    fn what_is_no_object_or_list_is_refused() {
        for text in ["", "[]", "{", "{\"a\":1}}", "{\"a\" 1}", "1"] {
            assert!(ObjectText::parse(text).is_err(), "{text}");
        }
        for text in ["", "{}", "[", "[1,]", "[1 2]", "[]]"] {
            assert!(ListText::parse(text).is_err(), "{text}");
        }
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "[a-c\"\\\\{}\\[\\],: \n]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(2, 12, 3, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                proptest::collection::btree_map("[a-c]{1,2}", inner, 0..3)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    fn any_object() -> impl Strategy<Value = Map<String, Value>> {
        proptest::collection::btree_map("[a-e\"\\\\é]{1,2}", any_value(), 0..5)
            .prop_map(|map| map.into_iter().collect())
    }

    proptest! {
        #[test]
        fn an_edit_is_a_set_and_all_else_stays(
            object in any_object(),
            name in "[a-e\"\\\\é]{1,2}",
            value in any_value(),
            is_pretty in any::<bool>(),
        ) {
            let text = if is_pretty {
                serde_json::to_string_pretty(&object).expect("is written")
            } else {
                serde_json::to_string(&object).expect("is written")
            };
            let mut edited = ObjectText::parse(&text).expect("is an object");
            edited.set(&name, value.to_string());
            let edits = edited.edits();
            prop_assert_eq!(edits.len(), 1);
            let edit = &edits[0];
            let new = edited.edited();
            // What lies before and after the one place that is edited stays byte for byte.
            prop_assert!(new.starts_with(&text[..edit.range.start]) && new.ends_with(&text[edit.range.end..]));
            prop_assert_eq!(new.len(), text.len() - edit.range.len() + edit.text.len());
            if let Some(old) = object.get(&name) {
                prop_assert_eq!(&serde_json::from_str::<Value>(&text[edit.range.clone()]).expect("is JSON"), old);
            }
            let mut expected = object;
            expected.insert(name, value);
            prop_assert_eq!(serde_json::from_str::<Value>(&new).expect("is JSON"), json!(expected));
        }

        #[test]
        fn an_element_that_is_added_comes_last(elements in proptest::collection::vec(any_value(), 0..4), value in any_value()) {
            let mut expected = elements;
            let text = serde_json::to_string_pretty(&expected).expect("is written");
            let mut list = ListText::parse(&text).expect("is a list");
            list.push(value.to_string());
            expected.push(value);
            prop_assert_eq!(serde_json::from_str::<Value>(&list.edited()).expect("is JSON"), Value::from(expected));
        }
    }
}
