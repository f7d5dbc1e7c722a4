//! Faults of our own: what this machine, its disk or its link does to a scan. Each ends with every endpoint's row right, or
//! named as not done.

mod disk;
mod limits;
mod link;
mod pipe;
mod standstill;
