//! What can be wrong with the outputs.

/// Why the outputs cannot be driven, in one sentence that names the pin or chip and the mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutputError {
    /// No backend works on this machine.
    #[error("no GPIO pins can be driven: {0}; use the backend simulated to run without pins")]
    NoBackend(String),
    /// The chip cannot be found or opened.
    #[error("GPIO chip {chip}: {problem}")]
    Chip {
        /// Its label, name or path.
        chip: String,
        /// The cause and the mend.
        problem: String,
    },
    /// A pin cannot be used.
    #[error("output {output}: GPIO{pin} on {chip} {problem}")]
    Pin {
        /// Name of the output in the configuration.
        output: String,
        /// Number of the pin.
        pin: u32,
        /// The chip or driver that was asked for it.
        chip: String,
        /// The cause and the mend.
        problem: String,
    },
    /// Another maskwatch process drives the pins.
    #[error(
        "the pins are driven by another maskwatch ({device} is locked); stop the daemon first (sudo systemctl stop maskwatch), or use the backend gpiocdev for several doors"
    )]
    Owned {
        /// The device that it has locked.
        device: String,
    },
    /// The thread that refreshes the outputs has ended; its pins were driven inactive.
    #[error("the thread that drives the outputs ended unexpectedly; see the last lines of the log above")]
    ThreadEnded,
    /// The thread that refreshes the outputs hangs; what they show is unknown.
    #[error(
        "the thread that drives the outputs hangs, so they cannot be trusted; if this is said again, look for other programs that use the pins, or restart the board"
    )]
    ThreadHangs,
    /// No thread could be started.
    #[error("no thread could be started to drive the outputs ({0}); end other programs or raise the limit")]
    NoThread(String),
}
