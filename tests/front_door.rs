//! The front door, from outside: what clients did to tiny_http, done to the running server, and
//! every limit that `docs/front-door.md` promises.
//!
//! Where defaults and real pages do, the server is the `waxseal` binary. Where a limit must be
//! short, or a page slow or large, it is `examples/front_door.rs`, which the tests build themselves.
//!
//! All traffic is loopback, bounded in count and time, and only what a test started is ended.

#[path = "support/example.rs"]
mod example;

mod front_door {
    mod attacks;
    mod capacity;
    mod crosstalk;
    mod endings;
    mod fairness;
    mod limits;
    mod malformed;
    mod malformed_heads;
    mod server;
    mod visitor;
}
