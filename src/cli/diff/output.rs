//! Files that differences go to.

use std::path::PathBuf;

use hailer::inventory::diff::{About, Change, ChangeWriter, Csv, Ndjson, Summary};
use hailer::output::html::ChangesPage;
use hailer::output::xlsx::ChangesBook;
use hailer::output::{Format, Report};

use crate::cli::Failure;
use crate::cli::fresh::Fresh;
use crate::cli::written::Form;

/// One that was named.
pub(super) struct Output {
    form: Form,
    file: Fresh,
}

/// One that takes differences.
pub(super) struct Begun {
    writer: Box<dyn ChangeWriter>,
    file: Fresh,
}

impl Output {
    pub(super) fn open((path, form): (PathBuf, Form)) -> Result<Self, Failure> {
        Ok(Self { form, file: Fresh::open(&path)? })
    }

    /// Begins: what was compared, and how much there will be.
    pub(super) fn begin(self, about: &About, summary: &Summary) -> Result<Begun, Failure> {
        let Self { form, file } = self;
        let to = file.writer()?;
        let failed = |error| file.failed(&error);
        let mut writer: Box<dyn ChangeWriter> = match form {
            Form::Lines(Format::Csv) => Box::new(Csv::new(to)),
            Form::Lines(Format::Ndjson | Format::Text) => Box::new(Ndjson(to)),
            Form::Report(Report::Xlsx) => {
                Box::new(ChangesBook::new(&file.folder(), about.clone(), to).map_err(failed)?)
            }
            Form::Report(Report::Html) => Box::new(ChangesPage::new(about.clone(), to).map_err(failed)?),
        };
        writer.begin(summary).map_err(failed)?;
        Ok(Begun { writer, file })
    }
}

impl Begun {
    pub(super) fn write(&mut self, change: &Change) -> Result<(), Failure> {
        self.writer.change(change).map_err(|error| self.file.failed(&error))
    }

    /// Writes what is left, and puts it in its place.
    pub(super) fn end(self) -> Result<(), Failure> {
        self.writer.end().map_err(|error| self.file.failed(&error))?;
        self.file.put_anew()
    }
}
