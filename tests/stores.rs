//! The stores, each over its real server: `make test-stores` installs the servers where they are
//! missing. Every test starts its own on a free port, with a directory of its own, and ends it.

mod support;

mod stores {
    mod administration;
    mod cases;
    mod clocks;
    mod damage;
    mod late;
    mod limits;
    mod memcached;
    mod outage;
    mod pages;
    mod postgres;
    mod records;
    mod redis;
    mod refusals;
    mod server;
    mod sharing;
    mod sqlite;
    mod visitors;
}
