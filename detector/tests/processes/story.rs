//! What is to be found.

/// A way to hang for several processes.
pub(crate) struct Story {
    /// Of the programs, behind `hang-` and `completes-`.
    pub(crate) name: &'static str,
    pub(crate) code: &'static str,
    /// `thread of role | object: text of the line that took it | object: text of the line that wants it`; `-` for nothing.
    pub(crate) links: &'static [&'static str],
    /// How many processes the finding is about.
    pub(crate) n_processes: usize,
    /// Whether there is a program that does the same one after the other.
    pub(crate) completes: bool,
}

pub(crate) const HANGS: &[Story] = &[
    Story {
        name: "abba",
        code: "deadlock",
        links: &[
            "main of first | checking: // abba: first holds | savings: // abba: first wants",
            "main of withdraw | savings: // abba: withdraw holds | checking: // abba: withdraw wants",
        ],
        n_processes: 2,
        completes: true,
    },
    Story {
        name: "ring",
        code: "deadlock",
        links: &[
            "main of first | top: // ring: first holds | left: // ring: first wants",
            "main of second | left: // ring: second holds | right: // ring: second wants",
            "main of third | right: // ring: third holds | top: // ring: third wants",
        ],
        n_processes: 3,
        completes: true,
    },
    Story {
        name: "mixed",
        code: "deadlock",
        links: &[
            "main of first | journal: // mixed: first holds | private: // mixed: first wants",
            "reader of first | private: // mixed: reader holds | ledger: // mixed: reader wants",
            "main of auditor | ledger: // mixed: auditor holds | journal: // mixed: auditor wants",
        ],
        n_processes: 2,
        completes: true,
    },
    Story {
        name: "two-addresses",
        code: "deadlock",
        links: &[
            "main of first | cold: // two-addresses: first holds | hot: // two-addresses: first wants",
            "main of mover | hot: // two-addresses: mover holds | cold: // two-addresses: mover wants",
        ],
        n_processes: 2,
        completes: true,
    },
    Story {
        name: "twice",
        code: "self-deadlock",
        links: &["main | counter: // twice: first holds | counter: // twice: first wants"],
        n_processes: 1,
        completes: false,
    },
    Story {
        name: "waitpid",
        code: "deadlock",
        links: &[
            "main of first | spool: // waitpid: first holds | printer: // waitpid: first waits",
            "main of printer | - | spool: // waitpid: printer wants",
        ],
        n_processes: 2,
        completes: false,
    },
    Story {
        name: "readers",
        code: "deadlock",
        links: &[
            "main of first | pages: // readers: first holds | index: // readers: first wants",
            "main of reader | index: // readers: reader holds | pages: // readers: reader wants",
        ],
        n_processes: 2,
        completes: true,
    },
    Story {
        name: "permits",
        code: "deadlock",
        links: &[
            "main of first | table: // permits: first holds | slots: // permits: first wants",
            "main of worker | slots: // permits: worker holds | table: // permits: worker wants",
        ],
        n_processes: 2,
        completes: false,
    },
    Story {
        name: "barrier",
        code: "deadlock",
        links: &[
            "main of first | - | line: // barrier: first waits",
            "main of second | - | line: // barrier: second waits",
        ],
        n_processes: 2,
        completes: false,
    },
    Story {
        name: "fork",
        code: "abandoned-lock",
        links: &[
            "main of fork of first | - | private: // fork: child wants",
            "keeper (before the fork) of fork of first | private: // fork: keeper holds | -",
        ],
        n_processes: 1,
        completes: false,
    },
    Story {
        name: "condvar",
        code: "lost-wakeup",
        links: &[
            "main of first | - | told: // condvar: first waits",
            "main of notifier | - | told: // condvar: notifier notifies",
        ],
        n_processes: 2,
        completes: false,
    },
];
