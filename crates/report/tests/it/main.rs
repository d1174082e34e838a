//! Every rendering of one made-up process, as people and programs see it.

mod blocks;
mod dead;
mod exports;
mod flame;
mod json;
mod live_windows;
mod page;
mod recorded;
mod sample;
mod terminal;
