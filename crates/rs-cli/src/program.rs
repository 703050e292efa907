//! From `main` to a command and back to an exit code.

use std::process::ExitCode;

use clap::Parser;
use clap_complete::Shell;

use crate::command_error::{CommandError, Exit, Kind};
use crate::common_args::CommonArgs;
use crate::panics;
use crate::ui::Ui;

/// A binary's arguments.
pub trait Program: Parser {
    /// The arguments of every command.
    fn common(&self) -> &CommonArgs;

    /// Runs the command.
    ///
    /// # Errors
    /// The command failed.
    fn run(self, ui: &mut Ui) -> Result<Exit, CommandError>;
}

// The commands that every binary has. No doc comment: clap would take it for the binary's own description.
#[derive(Debug, Clone, clap::Subcommand)]
enum Shared {
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Print the manual page.
    Man,
    /// Print the command-line reference as Markdown.
    #[command(hide = true)]
    Reference,
}

/// Runs a binary: reads its arguments, runs the command, says what failed, and maps that to an exit code.
pub fn main<P: Program>() -> ExitCode {
    panics::hush_caught();
    panics::or_bug(run_process::<P>)
}

fn run_process<P: Program>() -> ExitCode {
    init_tracing();
    if let Some(shared) = shared_command() {
        let mut ui = Ui::of_process(&CommonArgs::default());
        let result = print_about::<P>(&shared, &mut ui);
        return finish(&mut ui, result);
    }
    let program = match whole_command::<P>().try_get_matches().and_then(|matches| P::from_arg_matches(&matches)) {
        Ok(program) => program,
        Err(error) => {
            // Help and version are results; the rest is the user's input. A closed pipe is nobody's fault.
            let code = if error.use_stderr() { 2 } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let mut ui = Ui::of_process(program.common());
    let threads = program.common().threads.map_or(0, usize::from);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
    let result = match pool {
        Ok(()) => program.run(&mut ui),
        Err(error) => Err(CommandError::environment(error)),
    };
    finish(&mut ui, result)
}

fn finish(ui: &mut Ui, result: Result<Exit, CommandError>) -> ExitCode {
    match result {
        Ok(exit) => ExitCode::from(exit.exit_code()),
        Err(error) => {
            if error.kind != Kind::ClosedPipe {
                ui.failure(&error);
            }
            ExitCode::from(error.exit_code())
        }
    }
}

/// `completions SHELL`, `man` or `reference`, if that is what was typed.
fn shared_command() -> Option<Shared> {
    #[derive(Parser)]
    struct Only {
        #[command(subcommand)]
        shared: Shared,
    }
    #[expect(clippy::disallowed_methods, reason = "the arguments of the process")]
    let typed: Vec<_> = std::env::args_os().collect();
    let first = typed.get(1)?.to_str()?;
    ["completions", "man", "reference"].contains(&first).then(|| Only::parse_from(typed).shared)
}

/// The binary's command with the shared ones among its own.
fn whole_command<P: Program>() -> clap::Command {
    <Shared as clap::Subcommand>::augment_subcommands(P::command())
}

fn print_about<P: Program>(shared: &Shared, ui: &mut Ui) -> Result<Exit, CommandError> {
    let mut command = whole_command::<P>();
    let name = command.get_name().to_owned();
    let mut bytes = Vec::new();
    match shared {
        Shared::Completions { shell } => clap_complete::generate(*shell, &mut command, name, &mut bytes),
        Shared::Man => man_pages(&command, &mut bytes)?,
        Shared::Reference => {
            let options = clap_markdown::MarkdownOptions::new().show_footer(false).show_table_of_contents(false);
            bytes = clap_markdown::help_markdown_command_custom(&command, &options).into_bytes();
            while bytes.ends_with(b"\n\n") {
                bytes.pop();
            }
        }
    }
    ui.print(&String::from_utf8_lossy(&bytes))?;
    Ok(Exit::Done)
}

/// One page for the binary and all its commands.
fn man_pages(command: &clap::Command, bytes: &mut Vec<u8>) -> std::io::Result<()> {
    let page = clap_mangen::Man::new(command.clone());
    page.render(bytes)?;
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        let title = format!("{} {}", command.get_name(), sub.get_name());
        let page = clap_mangen::Man::new(sub.clone().display_name(&title).bin_name(&title));
        bytes.extend_from_slice(format!(".SH \"{}\"\n", title.to_uppercase()).as_bytes());
        page.render_synopsis_section(bytes)?;
        page.render_description_section(bytes)?;
        page.render_options_section(bytes)?;
    }
    Ok(())
}

/// What developers want to know, under `RS_LOG`.
fn init_tracing() {
    use tracing_subscriber::fmt::format::FmtSpan;
    #[expect(clippy::disallowed_methods, reason = "tracing is set up before anything else")]
    let Ok(filter) = std::env::var("RS_LOG") else { return };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_span_events(FmtSpan::CLOSE)
        .init();
}
