//! One file a format over any writer.
