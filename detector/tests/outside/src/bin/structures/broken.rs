pub mod counted;
pub mod once_cell;
pub mod ring;
pub mod seqlock;
pub mod spin_lock;
pub mod treiber_stack;
