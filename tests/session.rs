//! Sessions as an application sees them: one test for each thing that they promise.

mod session {
    mod cookies;
    mod counts;
    mod faults;
    mod handling;
    mod lifetimes;
    mod listing;
    mod loading;
    mod own_lifetimes;
    mod places;
    mod properties;
    mod saving;
    mod sharing;
    mod sign_out;
    mod support;
    mod users;
    mod values;
}
