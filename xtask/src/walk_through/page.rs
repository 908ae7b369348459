//! What a page of the documentation has its readers paste into a shell.

use std::{fs, path::Path};

/// How a block begins that is pasted.
const FENCE: &str = "```sh";

/// What it shows asks for passphrases; `popmarket-app/tests/programs/self_custody.rs` does it.
const NOT_PASTED: [&str; 1] = ["command-line.md"];
/// How a page says what to start first.
const START: &str = "Start the market with `cargo run --release";
/// What must be true after the README's walk-through.
const README_CHECK: &str = include_str!("readme_check.sh");

/// A page with something to paste.
#[derive(Debug)]
pub(super) struct Page {
    /// Where it is, from the root of the workspace.
    pub(super) name: String,
    /// What the market is started with.
    pub(super) options: Vec<String>,
    /// Its blocks, each line at the number that it has in the page.
    pub(super) script: String,
}

impl Page {
    fn new(name: &str, text: &str) -> Result<Self, String> {
        let script = script(text);
        if script.trim().is_empty() {
            return Err(format!("{name} has no block that starts with {FENCE}"));
        }
        let options = options(text).ok_or_else(|| format!("{name} does not say: {START}`"))?;
        Ok(Self { name: name.to_owned(), options, script })
    }

    fn read(root: &Path, name: &str) -> Result<Self, String> {
        let text = fs::read_to_string(root.join(name)).map_err(|error| format!("{name}: {error}"))?;
        Self::new(name, &text)
    }
}

/// The README, and what is in docs/api.
pub(super) fn all(root: &Path) -> Result<Vec<Page>, String> {
    let mut readme = Page::read(root, "README.md")?;
    readme.script.push_str(README_CHECK);
    let folder = Path::new("docs").join("api");
    let entries = fs::read_dir(root.join(&folder)).map_err(|error| format!("docs/api: {error}"))?;
    let entries = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let is_page = |name: &String| Path::new(name).extension().is_some_and(|it| it == "md");
    let mut names: Vec<_> =
        entries.filter(|name| is_page(name) && !NOT_PASTED.contains(&name.as_str())).collect();
    names.sort();
    let others = names.iter().map(|name| Page::read(root, &folder.join(name).to_string_lossy()));
    [Ok(readme)].into_iter().chain(others).collect()
}

/// All marked blocks, and nothing in the place of each other line.
fn script(text: &str) -> String {
    let mut script = String::new();
    let mut is_inside = false;
    for line in text.lines() {
        let line = line.trim_end();
        if is_inside && line != "```" {
            script.push_str(line);
        } else {
            is_inside = line == FENCE;
        }
        script.push('\n');
    }
    script
}

/// What a page has its readers start the market with, wherever its lines end.
fn options(text: &str) -> Option<Vec<String>> {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (_, rest) = text.split_once(START)?;
    let (options, _) = rest.split_once('`')?;
    Some(options.split_whitespace().filter(|option| *option != "--").map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace_root;

    #[test]
    fn lines_of_marked_blocks_keep_their_numbers() {
        let page = "text\n```sh\na=1\n```\n```\nnot me\n```\n```sh\necho $a\n```\nend\n";
        assert_eq!(script(page), "\n\na=1\n\n\n\n\n\necho $a\n\n\n");
        assert!(
            Page::new("a.md", "Start the market with `cargo run --release`\n```\nnothing\n```\n").is_err()
        );
    }

    #[test]
    fn a_page_says_what_to_start() {
        let page =
            |start: &str| Page::new("a.md", &format!("{start}\n```sh\ntrue\n```\n")).map(|page| page.options);
        assert_eq!(page("Start the market with `cargo run --release`, then"), Ok(Vec::new()));
        let options = page("First. Start the market\nwith `cargo run --release -- --ephemeral -n 7`.");
        assert_eq!(options, Ok(["--ephemeral", "-n", "7"].map(str::to_owned).to_vec()));
        assert!(page("`cargo run --release`").is_err());
    }

    /// Who knows one page knows how each begins.
    #[test]
    fn all_pages_of_the_api_begin_with_the_same_block() {
        let pages = all(workspace_root()).unwrap();
        let begins = |page: &Page| page.script.trim_start().split("\n\n\n").next().unwrap().trim().to_owned();
        let first = begins(&pages[1]);
        assert!(first.contains("expect()") && first.contains("sign_in"), "{first}");
        for page in &pages[1..] {
            assert_eq!(begins(page), first, "{}", page.name);
        }
    }
}
