/// Hangs in the way that its argument names.
fn main() {
    let name = std::env::args().nth(1).expect("the name of a way to hang");
    let (_, hang) = outside::hangs::ALL.iter().find(|(way, _)| *way == name).expect("a known way to hang");
    hang();
}
