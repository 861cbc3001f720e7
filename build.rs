//! Gives the shared library its soname, and a link of that name beside it in the build tree.

use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let os = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    if !matches!(os.as_str(), "linux" | "android" | "freebsd" | "netbsd" | "openbsd") {
        return;
    }
    let soname = format!("libchanneler.so.{}", env!("CARGO_PKG_VERSION_MAJOR"));
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,{soname}");
    // The linker notes the soname in programs, so a program linked with target/<profile>/ looks
    // for that name when it starts. OUT_DIR is target/<profile>/build/<package>/out.
    if let Ok(out) = std::env::var("OUT_DIR")
        && let Some(profile) = Path::new(&out).ancestors().nth(3)
    {
        link(&profile.join(soname));
    }
}

/// Makes `link` point at the library. It is a convenience: a build tree without links still builds.
fn link(link: &Path) {
    #[cfg(unix)]
    if link.symlink_metadata().is_err()
        && let Err(error) = std::os::unix::fs::symlink("libchanneler.so", link)
    {
        println!("cargo:warning=no link {}: {error}", link.display());
    }
    #[cfg(not(unix))]
    let _ = link;
}
