//! Programs of several processes: `processes PROGRAM`. What a `hang-` program does at once, the `completes-` program of the
//! same name does one after the other; a `fine-` program only looks as if it hung.

mod fine;
mod forks;
mod locks;
mod stage;
mod waits;

use stage::Stage;
use std::env;

fn main() {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let stage = Stage::enter(&arguments);
    match stage.program.as_str() {
        "hang-abba" | "completes-abba" => locks::abba(&stage),
        "hang-ring" | "completes-ring" => locks::ring(&stage),
        "hang-mixed" | "completes-mixed" => locks::mixed(&stage),
        "hang-two-addresses" | "completes-two-addresses" => locks::two_addresses(&stage),
        "hang-twice" => locks::twice(&stage),
        "hang-waitpid" => waits::waitpid(&stage),
        "hang-fork" => waits::forked(),
        "hang-condvar" => waits::condvar(&stage),
        "hang-readers" | "completes-readers" => waits::readers(&stage),
        "hang-permits" => waits::permits(&stage),
        "hang-barrier" => waits::barrier(&stage),
        "fine-ordered" => fine::ordered(&stage),
        "fine-recovered" => fine::recovered(&stage),
        "fine-reused" => fine::reused(&stage),
        "fine-private" => fine::private(&stage),
        "fine-waits" => fine::waits(&stage),
        "fine-exec" => fine::exec(&stage),
        "fine-env-clear" => fine::env_clear(&stage),
        "fine-served" => fine::served(&stage),
        "fine-killed-waiting" => fine::killed_waiting(&stage),
        "fine-fork" => fine::forked(&stage),
        program => panic!("no program {program}"),
    }
    stage.close();
}
