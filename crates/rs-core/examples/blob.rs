//! Packs, unpacks and hashes, to be timed against other programs: `blob pack FOLDER BLOB`, `blob extract BLOB FOLDER`,
//! `blob hash FILE`, `blob content FOLDER`.

use std::error::Error;
use std::path::Path;

use rs_core::pack::{self, Expected, Monitor};
use rs_core::store;

fn main() -> Result<(), Box<dyn Error>> {
    #[expect(clippy::disallowed_methods, reason = "the arguments of the process")]
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let paths: Vec<&Path> = arguments.iter().skip(1).map(Path::new).collect();
    let monitor = Monitor::default();
    let said = match (arguments.first().and_then(|command| command.to_str()), &paths[..]) {
        (Some("pack"), [folder, blob]) => {
            let files = pack::list_run(folder)?;
            format!("{:?}", pack::pack_run(folder, &files, &mut fs_err::File::create(blob)?, &monitor)?)
        }
        (Some("extract"), [blob, folder, from]) => {
            let content = pack::content_of(&pack::list_run(from)?, &monitor)?;
            pack::extract_run(blob, folder, &Expected::from(content), &monitor)?;
            format!("{content:?}")
        }
        (Some("hash"), [file]) => store::hash_file(file, &monitor)?.to_string(),
        (Some("content"), [folder]) => format!("{:?}", pack::content_of(&pack::list_run(folder)?, &monitor)?),
        (Some("list"), [folder]) => pack::fingerprint(&pack::list_run(folder)?),
        _ => {
            return Err(
                "blob pack FOLDER BLOB | extract BLOB FOLDER LIKE | hash FILE | content FOLDER | list FOLDER".into()
            );
        }
    };
    #[expect(clippy::print_stdout, reason = "an example")]
    {
        println!("{said}");
    }
    Ok(())
}
