#!/usr/bin/env python3
"""Independent reference for the seal format (src/seal/mod.rs), on PyPI's `cryptography`.

  reference.py vectors            print the test vectors as JSON
  reference.py open NAME VALUE    open a cookie value with the keys in the environment
                                  (SESSION_AUTHENTICATION_KEY, SESSION_ENCRYPTION_KEY), print it as JSON
"""
import base64, hashlib, hmac, json, os, struct, sys
from urllib.parse import parse_qsl, urlencode

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SALT = b"waxseal/v1"
VALUES, STORED = b"\x01", b"\x02"
HEADER, SIV, MAC = 33, 16, 32


def derive(key: bytes, info: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, SALT, info).derive(key)


def keys(authentication: bytes, encryption: bytes):
    return derive(authentication, b"authenticate", 32), derive(encryption, b"encrypt", 64)


def seal(name: bytes, payload: bytes, session: bytes, created: int, sealed: int, authentication: bytes, encryption: bytes, version: bytes = VALUES) -> str:
    mac_key, siv_key = keys(authentication, encryption)
    header = version + session + struct.pack(">QQ", created, sealed)
    context = name + b"\x00" + header
    # `cryptography` refuses an empty plaintext, so the format never has one
    body = AESSIV(siv_key).encrypt(payload, [context])
    tag = hmac.new(mac_key, context + body, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(header + body + tag).rstrip(b"=").decode()


def unseal(name: bytes, value: str, authentication: bytes, encryption: bytes):
    mac_key, siv_key = keys(authentication, encryption)
    raw = base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != value:
        raise ValueError("not canonical base64url")
    if len(raw) <= HEADER + SIV + MAC or raw[:1] not in (VALUES, STORED):
        raise ValueError("not a seal of version 1 or 2")
    header, body, tag = raw[:HEADER], raw[HEADER:-MAC], raw[-MAC:]
    context = name + b"\x00" + header
    if not hmac.compare_digest(hmac.new(mac_key, context + body, hashlib.sha256).digest(), tag):
        raise ValueError("the authentication tag does not match")
    session, created, sealed = struct.unpack(">16sQQ", header[1:])
    payload = AESSIV(siv_key).decrypt(body, [context])
    if raw[:1] == STORED and payload != b"stored":
        raise ValueError("a version 2 seal without its one payload")
    return session, created, sealed, payload


def vectors():
    auth = b"an authentication key of any length"
    pairs = [
        ("one value", b"waxseal", [("username", "foo")], auth, b"0123456789abcdef"),
        ("24-byte encryption key", b"waxseal", [("username", "foo")], auth, b"0123456789abcdef01234567"),
        ("32-byte encryption key", b"waxseal", [("username", "foo")], auth, b"0123456789abcdef0123456789abcdef"),
        ("64-byte encryption key, all of it used", b"waxseal", [("username", "foo")], auth, b"0123456789abcdef" * 4),
        ("short authentication key", b"waxseal", [("username", "foo")], b"k", b"0123456789abcdef"),
        ("__Host- name", b"__Host-waxseal", [("username", "foo")], auth, b"0123456789abcdef"),
        ("several values, in key order", b"cart", [("a", "1"), ("b", "two words"), ("c", "&=+%")], auth, b"0123456789abcdef"),
        ("beyond ASCII", b"waxseal", [("username", "Ægir 雪 🦀")], auth, b"0123456789abcdef"),
        ("empty value", b"waxseal", [("username", "")], auth, b"0123456789abcdef"),
        ("two kilobytes", b"waxseal", [("note", "x" * 2048)], auth, b"0123456789abcdef"),
        ("flashes after the values, in order", b"waxseal", [("username", "foo"), ("_flash", "Signed in"), ("_flash", "Twice")], auth, b"0123456789abcdef"),
    ]
    out = []
    for title, name, values, a, e in pairs:
        payload = urlencode(values).encode()
        session, created, sealed = bytes(range(16)), 1795392000, 1795395600
        value = seal(name, payload, session, created, sealed, a, e)
        assert unseal(name, value, a, e) == (session, created, sealed, payload)
        out.append({
            "title": title, "version": 1, "name": name.decode(), "pairs": [list(pair) for pair in values], "payload": payload.decode(),
            "id": session.hex(), "created": created, "sealed": sealed, "authentication_key": a.decode(), "encryption_key": e.decode(),
            "cookie_value": value,
        })
    session, created, sealed, e = bytes(range(16)), 1795392000, 1795395600, b"0123456789abcdef"
    value = seal(b"waxseal", b"stored", session, created, sealed, auth, e, STORED)
    assert unseal(b"waxseal", value, auth, e) == (session, created, sealed, b"stored")
    out.append({"title": "the values are in a store", "version": 2, "name": "waxseal", "pairs": [], "payload": "stored",
                "id": session.hex(), "created": created, "sealed": sealed, "authentication_key": auth.decode(), "encryption_key": e.decode(),
                "cookie_value": value})
    return {"format": "waxseal seal", "vectors": out}


def main(argv):
    if argv[1:] == ["vectors"]:
        print(json.dumps(vectors(), ensure_ascii=False, indent=1))
    elif len(argv) == 4 and argv[1] == "open":
        try:
            session, created, sealed, payload = unseal(argv[2].encode(), argv[3],
                                              os.environb[b"SESSION_AUTHENTICATION_KEY"], os.environb[b"SESSION_ENCRYPTION_KEY"])
        except (ValueError, InvalidTag) as error:
            sys.exit(f"not opened: {error!r}")
        print(json.dumps({"id": session.hex(), "created": created, "sealed": sealed, "values": {} if payload == b"stored" else dict(parse_qsl(payload.decode(), keep_blank_values=True))}, ensure_ascii=False))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv)
