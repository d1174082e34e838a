//! Every rendering of one made-up process, as people and programs see it.

mod json;
mod page;
mod sample;
mod terminal;
