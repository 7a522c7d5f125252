//! A profile for people: a table for each kind of part.
