//! Programs in Python that have others' word for something: reference libraries, and a fuzzer of APIs. They live in
//! `xtask/python`; what they need is installed below the target folder.

use std::path::Path;

use super::invocation::Invocation;
use crate::programs;

/// Where they are.
const FOLDER: &str = "xtask/python";

/// A Python of our own with the packages that `requirements.txt` names.
///
/// # Errors
/// Why it cannot be had here.
pub(super) fn environment(root: &Path) -> Result<String, String> {
    let folder = programs::python_environment().to_string_lossy().into_owned();
    let python = format!("{folder}/bin/python");
    if !Path::new(&python).exists() {
        carry_out(&Invocation::program("python3", &["-m", "venv", &folder]), root)?;
    }
    let packages = format!("{FOLDER}/requirements.txt");
    let install =
        ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", &packages];
    carry_out(&Invocation::program(&python, &install), root)?;
    Ok(python)
}

fn carry_out(invocation: &Invocation, root: &Path) -> Result<(), String> {
    println!("$ {invocation}");
    invocation.run(root).map_err(|reason| format!("the packages of Python cannot be had: {reason}"))
}

/// Runs one of them beside a market of its own.
pub(super) fn program(python: &str, name: &str) -> Invocation {
    let (script, popmarket) = (format!("{FOLDER}/{name}.py"), programs::program("popmarket"));
    let invocation = Invocation::program(python, &[&script, &popmarket.to_string_lossy()]);
    // The folder of the sources stays clean.
    invocation.with("PYTHONDONTWRITEBYTECODE", "1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_program_is_there_and_each_package_has_a_version() {
        let folder = crate::workspace_root().join(FOLDER);
        for name in ["webhooks", "api"] {
            let line = program("python", name).to_string();
            assert!(line.contains(&format!("{FOLDER}/{name}.py")), "{line}");
            assert!(folder.join(format!("{name}.py")).exists(), "{name}");
        }
        let packages = std::fs::read_to_string(folder.join("requirements.txt")).unwrap();
        let lines: Vec<&str> = packages.lines().filter(|line| !line.starts_with('#')).collect();
        assert!(!lines.is_empty() && lines.iter().all(|line| line.contains("==")), "{packages}");
    }
}
