//! Any lines as raw records, one after another with what is remembered of those before: what is accepted is JSON, and
//! says the same to another parser.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rs_core::block_lines::for_each_line;
use rs_core::lexer::{LexError, Lexer, RawString};
use rs_core::record::{self, Record};
use rs_core::shape::Shape;
use serde_json::Value;

fuzz_target!(|block: &[u8]| {
    let mut shape = Shape::default();
    for_each_line(block, |indexed| {
        let line = match std::str::from_utf8(indexed.text) {
            Ok(line) => line,
            Err(error) => {
                assert_eq!(indexed.lexer().err().map(|found| found.at), Some(error.valid_up_to()));
                return;
            }
        };
        let remembered = record::parse(indexed.lexer().expect("is UTF-8"), &mut shape);
        // What came before must make no difference, and nor must what is known of the block.
        let alone = record::parse(Lexer::new(line.as_bytes()), &mut Shape::default());
        let error = |result: &Result<Record<'_>, LexError>| result.as_ref().err().cloned();
        assert_eq!(error(&remembered), error(&alone), "{line:?}");
        let (Ok(remembered), Ok(mut alone)) = (remembered, alone) else { return };
        alone.is_like_last = remembered.is_like_last;
        assert_eq!(remembered, alone, "{line:?}");
        // It knows no deep nesting, no numbers beyond doubles, and no halves of surrogate pairs, which JSON's grammar
        // allows and some writers leave behind; here they decode to the replacement character.
        let Ok(value) = serde_json::from_str::<Value>(line) else {
            let error = serde_json::from_str::<Value>(line).unwrap_err().to_string();
            let is_known = ["recursion", "out of range", "surrogate", "hex escape"].iter().any(|what| error.contains(what));
            assert!(is_known, "{line:?}: {error}");
            return;
        };
        let check = |key: &str, text: Option<RawString<'_>>| {
            let expected = value.get(key).and_then(Value::as_str);
            let found = text.map(|text| {
                let decoded = text.decode();
                assert_eq!(decoded.len(), text.decoded_bytes, "{line:?}");
                decoded
            });
            assert_eq!(found.as_deref(), expected, "`{key}` of {line:?}");
        };
        check("model", Some(remembered.model));
        check("template", Some(remembered.template));
        check("sampler", Some(remembered.sampler));
        check("base_task", Some(remembered.base_task));
        check("reasoning", remembered.reasoning);
        check("response", remembered.response);
        check("id", remembered.id);
        check("error", remembered.error);
        let flag = |key: &str| value.get(key).and_then(Value::as_bool).unwrap_or(false);
        assert_eq!(remembered.correct, flag("correct"), "{line:?}");
        assert_eq!(remembered.truncated, flag("truncated"), "{line:?}");
        assert_eq!(remembered.invalid, flag("invalid"), "{line:?}");
        let params: Value = serde_json::from_slice(remembered.params).expect("it is JSON");
        assert_eq!(Some(&params), value.get("params"), "{line:?}");
    });
});
