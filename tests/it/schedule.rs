//! Schedules: when jobs run, what job files are refused for, and the `jobs` command.

mod agenda;
mod command;
mod engine;
mod errands;
mod files;
mod reference;
mod times;
