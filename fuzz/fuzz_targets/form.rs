//! A posted form: no panic; and what is taken is what was sent, nothing replaced, since a password
//! may be in it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use percent_encoding::percent_decode;
use waxseal::http::Form;

fuzz_target!(|body: &[u8]| {
    let Ok(form) = Form::parse(body) else { return };
    let decoded = percent_decode(body).decode_utf8().expect("what is taken is UTF-8");
    let replaced = |text: &str| text.contains('\u{fffd}') && !decoded.contains('\u{fffd}');
    let mut seen = Vec::new();
    for (name, value) in form_urlencoded::parse(body) {
        assert!(!replaced(&name) && !replaced(&value));
        if !seen.contains(&name) {
            assert_eq!(form.get(&name), Some(&*value));
            seen.push(name);
        }
    }
});
