//! The examples, built as the test that starts them is built: a stale one would be tested without a
//! word.

use std::env::consts::EXE_EXTENSION;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The features with which this test was built. With any others all would be built again.
const FEATURES: [(&str, bool); 14] = [
    ("default", cfg!(feature = "default")),
    ("cli", cfg!(feature = "cli")),
    ("server", cfg!(feature = "server")),
    ("bcrypt", cfg!(feature = "bcrypt")),
    ("mimalloc", cfg!(feature = "mimalloc")),
    ("redis", cfg!(feature = "redis")),
    ("memcached", cfg!(feature = "memcached")),
    ("postgres", cfg!(feature = "postgres")),
    ("conformance", cfg!(feature = "conformance")),
    ("fuzzing", cfg!(feature = "fuzzing")),
    ("http", cfg!(feature = "http")),
    ("json", cfg!(feature = "json")),
    ("visitor", cfg!(feature = "visitor")),
    ("sqlite", cfg!(feature = "sqlite")),
];

/// The example of this name, as its source is now.
pub fn example(name: &str) -> PathBuf {
    static PROFILE: OnceLock<PathBuf> = OnceLock::new();
    let profile = PROFILE.get_or_init(build);
    profile.join("examples").join(name).with_extension(EXE_EXTENSION)
}

/// Builds all examples; the folder of the profile that they are built with.
fn build() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    // Cargo puts it into `target/debug/deps`, or with `--target` into `target/<target>/debug/deps`.
    let folders: Vec<&Path> = test.ancestors().skip(2).take(3).collect();
    let [profile, above, top] = folders[..] else { panic!("{test:?} is not where Cargo puts it") };
    let mut cargo = Command::new(env!("CARGO"));
    // Cargo tells a test of its package. Some dependencies are built again where these variables
    // change, and then once more by the next `cargo test`, which does not have them.
    for (variable, _) in std::env::vars_os() {
        let name = variable.to_string_lossy();
        let of_the_package = ["CARGO_PKG_", "CARGO_MANIFEST_", "OUT_DIR"];
        if of_the_package.iter().any(|start| name.starts_with(start)) {
            cargo.env_remove(&variable);
        }
    }
    cargo.args(["build", "--examples", "--offline", "--no-default-features", "--features"]);
    let features = FEATURES.iter().filter(|(_, is_on)| *is_on).map(|(feature, _)| *feature);
    cargo.arg(features.collect::<Vec<_>>().join(","));
    cargo.arg("--manifest-path").arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
    let name = |folder: &Path| folder.file_name().unwrap_or_default().to_owned();
    let profile_name = name(profile);
    cargo.arg("--profile").arg(if profile_name == "debug" { "dev".into() } else { profile_name });
    // Cargo marks the folder that it builds into.
    if above.join("CACHEDIR.TAG").exists() {
        cargo.arg("--target-dir").arg(above);
    } else {
        cargo.arg("--target-dir").arg(top).arg("--target").arg(name(above));
    }
    let output = cargo.output().expect("Cargo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    profile.to_owned()
}
