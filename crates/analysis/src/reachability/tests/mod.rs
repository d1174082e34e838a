pub(crate) mod image;

mod by_workers;
mod graphs;
mod heuristics;
mod kinds;
mod references;
mod rings;
mod roots;
mod stacks;
