//! TOML to values, with file and line of whatever is wrong.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Range, RangeInclusive};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What is wrong with a configuration, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) file: String,
    /// None: of the whole file.
    pub(crate) line: Option<usize>,
    pub(crate) text: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.text),
            None => write!(f, "{}: {}", self.file, self.text),
        }
    }
}

/// Where each key stands, for what turns out wrong only later.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lines {
    file: String,
    of: BTreeMap<String, usize>,
}

impl Lines {
    /// Something is wrong with a key; when it was not given, with what stands at `instead`.
    pub(crate) fn wrong(&self, key: &str, instead: &str, text: impl fmt::Display) -> Wrong {
        let line = self.of.get(key).or(self.of.get(instead)).copied();
        Wrong { file: self.file.clone(), line, text: format!("{key}: {text}") }
    }
}

/// A parsed file.
pub(crate) struct Document<'a> {
    text: &'a str,
    lines: Lines,
    root: DeTable<'a>,
}

/// One table of it. What is read is taken out; what is left at the end is unknown.
pub(crate) struct Section<'a, 'b> {
    name: &'static str,
    table: DeTable<'a>,
    known: Vec<&'static str>,
    text: &'a str,
    lines: &'b mut Lines,
}

impl<'a> Document<'a> {
    pub(crate) fn parse(file: &str, text: &'a str) -> Result<Document<'a>, Wrong> {
        match DeTable::parse(text) {
            Ok(root) => {
                let lines = Lines { file: file.to_owned(), of: BTreeMap::new() };
                Ok(Document { text, lines, root: root.into_inner() })
            }
            Err(error) => Err(Wrong {
                file: file.to_owned(),
                line: error.span().map(|span| line_of(text, &span)),
                text: error.message().trim().replace('\n', ", "),
            }),
        }
    }

    /// The keys of the whole file that stand before any table.
    pub(crate) fn root(&mut self) -> Section<'a, '_> {
        let is_table = |value: &Spanned<DeValue<'_>>| matches!(value.get_ref(), DeValue::Table(_));
        let mut table = DeTable::new();
        for (key, value) in std::mem::take(&mut self.root) {
            let into = if is_table(&value) { &mut self.root } else { &mut table };
            into.insert(key, value);
        }
        Section { name: "", table, known: Vec::new(), text: self.text, lines: &mut self.lines }
    }

    /// The table of this name; `None` when it is not there.
    pub(crate) fn section(&mut self, name: &'static str) -> Option<Section<'a, '_>> {
        let (key, value) = self.root.remove_entry(name)?;
        let DeValue::Table(table) = value.into_inner() else { return None };
        self.lines.of.insert(name.to_owned(), line_of(self.text, &key.span()));
        let (text, lines) = (self.text, &mut self.lines);
        Some(Section { name, table, known: Vec::new(), text, lines })
    }

    /// Refuses tables that nobody asked for. What was read where.
    pub(crate) fn finish(self, known: &[&str]) -> Result<Lines, Wrong> {
        match self.root.iter().next() {
            None => Ok(self.lines),
            Some((key, _)) => {
                let name = key.get_ref();
                let text = format!("[{name}] is not known; known are [{}]", known.join("], ["));
                let line = Some(line_of(self.text, &key.span()));
                Err(Wrong { file: self.lines.file, line, text })
            }
        }
    }
}

impl<'a> Section<'a, '_> {
    pub(crate) fn flag(&mut self, key: &'static str) -> Result<Option<bool>, Wrong> {
        self.value(key, "true or false", |value| value.as_bool())
    }

    pub(crate) fn integer(
        &mut self,
        key: &'static str,
        range: RangeInclusive<u64>,
    ) -> Result<Option<u64>, Wrong> {
        let allowed = format!("a number from {} to {}", range.start(), range.end());
        self.value(key, &allowed, |value| {
            let DeValue::Integer(number) = value else { return None };
            let number = u64::from_str_radix(number.as_str(), number.radix()).ok()?;
            range.contains(&number).then_some(number)
        })
    }

    pub(crate) fn text(&mut self, key: &'static str) -> Result<Option<String>, Wrong> {
        self.value(key, "a text", |value| value.as_str().map(str::to_owned))
    }

    /// A text that `read` understands; `allowed` says what that is.
    pub(crate) fn word<T>(
        &mut self,
        key: &'static str,
        allowed: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Wrong> {
        self.value(key, allowed, |value| value.as_str().and_then(&read))
    }

    /// A list of values that `read` understands; the line of a bad one is its own.
    pub(crate) fn list<T>(
        &mut self,
        key: &'static str,
        allowed: &str,
        read: impl Fn(&DeValue<'_>) -> Option<T>,
    ) -> Result<Option<Vec<T>>, Wrong> {
        let Some(value) = self.take(key) else { return Ok(None) };
        let DeValue::Array(items) = value.get_ref() else {
            return Err(self.refused(key, &value, &format!("a list, each {allowed}")));
        };
        let one = |item| read(Spanned::get_ref(item)).ok_or(item);
        let read: Result<Vec<T>, &Spanned<DeValue<'_>>> = items.iter().map(one).collect();
        read.map(Some).map_err(|item| self.refused(key, item, allowed))
    }

    /// A key that must be there is not.
    pub(crate) fn missing(&self, key: &str) -> Wrong {
        let line = self.lines.of.get(self.name).copied();
        let text = format!("{}: missing", self.full(key));
        Wrong { file: self.lines.file.clone(), line, text }
    }

    /// Refuses keys that nobody asked for.
    pub(crate) fn finish(&self) -> Result<(), Wrong> {
        let Some((key, _)) = self.table.iter().next() else { return Ok(()) };
        let known = self.known.join(", ");
        let text = format!("{}: not known; known here are {known}", self.full(key.get_ref()));
        let line = Some(line_of(self.text, &key.span()));
        Err(Wrong { file: self.lines.file.clone(), line, text })
    }

    fn value<T>(
        &mut self,
        key: &'static str,
        allowed: &str,
        read: impl Fn(&DeValue<'_>) -> Option<T>,
    ) -> Result<Option<T>, Wrong> {
        let Some(value) = self.take(key) else { return Ok(None) };
        match read(value.get_ref()) {
            Some(read) => Ok(Some(read)),
            None => Err(self.refused(key, &value, allowed)),
        }
    }

    fn take(&mut self, key: &'static str) -> Option<Spanned<DeValue<'a>>> {
        self.known.push(key);
        let (found, value) = self.table.remove_entry(key)?;
        let line = line_of(self.text, &found.span());
        self.lines.of.insert(self.full(key), line);
        Some(value)
    }

    fn refused(&self, key: &str, value: &Spanned<DeValue<'_>>, allowed: &str) -> Wrong {
        let span = value.span();
        let line = Some(line_of(self.text, &span));
        let given: String = self.text.get(span).unwrap_or_default().chars().take(80).collect();
        let text = format!("{}: {given} is not allowed; allowed is {allowed}", self.full(key));
        Wrong { file: self.lines.file.clone(), line, text }
    }

    fn full(&self, key: &str) -> String {
        match self.name {
            "" => key.to_owned(),
            name => format!("{name}.{key}"),
        }
    }
}

fn line_of(text: &str, span: &Range<usize>) -> usize {
    text.as_bytes().iter().take(span.start).filter(|byte| **byte == b'\n').count() + 1
}
