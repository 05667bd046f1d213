//! The front door with a home page like the product's; the number of workers in `WORKER_THREADS`.

#![forbid(unsafe_code)]

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr};

use front_door_bench::{App, number};
use waxseal::server::{Config, listen, serve};

/// The product's allocator, for both.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Box<dyn Error>> {
    let app = App::new()?;
    let listener = listen(Some(IpAddr::V4(Ipv4Addr::LOCALHOST)), 0)?;
    println!("{}", listener.local_addr()?.port());
    let mut config = Config::new(listener);
    config.workers = number("WORKER_THREADS", config.workers);
    Ok(serve(config, move |request| app.answer(request))?)
}
