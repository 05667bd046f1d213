//! Gzips the files of `static/`, for release builds to embed.
//!
//! `$OUT_DIR/static` is `static/` once more, and beside each file that gets smaller by it stands its
//! gzipped twin; `$OUT_DIR/static.rs` declares the folder to rust-embed, which has no other way to be
//! told a path that only the build knows.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "cli")]
    assets::write()?;
    Ok(())
}

#[cfg(feature = "cli")]
mod assets {
    use std::env;
    use std::error::Error;
    use std::fs;
    use std::io::{self, Write};
    use std::path::{Path, PathBuf};

    use flate2::Compression;
    use flate2::write::GzEncoder;

    pub(super) fn write() -> Result<(), Box<dyn Error>> {
        println!("cargo::rerun-if-changed=static");
        let out = PathBuf::from(env::var("OUT_DIR")?);
        let folder = out.join("static");
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        copy(Path::new("static"), &folder)?;
        let declaration =
            format!("#[derive(rust_embed::RustEmbed)]\n#[folder = {folder:?}]\nstruct Static;\n");
        Ok(fs::write(out.join("static.rs"), declaration)?)
    }

    /// Copies a folder, with the twins.
    fn copy(from: &Path, to: &Path) -> io::Result<()> {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            let target = to.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                copy(&entry.path(), &target)?;
                continue;
            }
            let plain = fs::read(entry.path())?;
            let gzipped = gzip(&plain)?;
            if is_worth_it(&plain, &gzipped) {
                let mut twin = target.clone().into_os_string();
                twin.push(".gz");
                fs::write(twin, gzipped)?;
            }
            fs::write(target, plain)?;
        }
        Ok(())
    }

    fn gzip(plain: &[u8]) -> io::Result<Vec<u8>> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(plain)?;
        encoder.finish()
    }

    /// A tenth at least: what is compressed already gains a few bytes, and the header that tells of
    /// the coding costs more.
    fn is_worth_it(plain: &[u8], gzipped: &[u8]) -> bool {
        gzipped.len() < plain.len() / 10 * 9
    }
}
