//! What people write down of what should be there, and programs save.

use std::fs;

use super::expect::Expectations;

/// Why an inventory cannot be read, without its path.
fn refused(inventory: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("i.csv");
    fs::write(&path, inventory).unwrap();
    let told = Expectations::read(&path).unwrap_err().to_string();
    told.split_once("i.csv:").unwrap().1.to_owned()
}

#[test]
fn mistakes_are_told_where_editors_count_them() {
    let table = [
        ("ip,port\n192.0.2.1,25\n192.0.2.2,x\n", "3:11: 'x' is not a port"),
        ("ip,port\n192.0.2.1,25\n\n\n192.0.2.2,x\n", "5:11: 'x' is not a port"),
        ("ip,port\n\n192.0.2.1,25\n\n192.0.2.1,25\n", "5:1: this endpoint is on line 3 already"),
        ("\n\nip,prt\n", "3:1: there is no column 'port'"),
        ("ip,port,software\n192.0.2.1,25,\"a\nb\"\n192.0.2.2,x,\n", "4:11: 'x' is not a port"),
        ("ip,port,software\n192.0.2.1,25,\"a\n192.0.2.2,25,b\n", "2:14: a quotation mark opens here, and none closes"),
    ];
    for (inventory, expected) in table {
        for text in [inventory.to_owned(), inventory.replace('\n', "\r\n"), format!("\u{feff}{inventory}")] {
            let told = refused(&text);
            assert!(told.starts_with(expected), "{text:?}: {told} should be {expected}");
        }
    }
    // A file in which one line was mended by another editor.
    let mixed = "ip,port\r\n192.0.2.1,25\n192.0.2.2,25\r\n192.0.2.3,x\r\n";
    assert!(refused(mixed).starts_with("4:11: 'x' is not a port"));
    // The last line needs no end.
    let endless = "ip,port,software\n192.0.2.1,25,5\" disk";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("i.csv");
    fs::write(&path, endless).unwrap();
    assert_eq!(Expectations::read(&path).unwrap().len(), 1);
}
