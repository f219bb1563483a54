//! The full display on terminals of several sizes, and its keys.

use std::io::Write as _;

use ratatui::{
    Terminal,
    backend::TestBackend,
    crossterm::event::{KeyCode, KeyEvent, KeyModifiers},
};

use super::{
    keys::{Action, KeyCommand, action, wait},
    *,
};
use crate::live::{tests::view, view::Phase};
use saasbench_record::event::Pace;

fn screen(view: &View, state: &State, pace: Pace, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw::draw(frame, view, state, pace)).unwrap();
    terminal.backend().to_string()
}

#[test]
fn it_fits_terminals_of_several_sizes() {
    let view = view(&["acme", "globex", "東京支社"], 12);
    let mut state = State { selected: 1, coloured: true, ..State::default() };
    state.log.push_back("waiting for Prometheus to scrape every replica".to_owned());
    for (width, height) in [(80, 24), (120, 40), (60, 20), (60, 15)] {
        insta::assert_snapshot!(
            format!("full_{width}x{height}"),
            screen(&view, &state, Pace::default(), width, height)
        );
    }
    // It can be drawn at any size.
    for (width, height) in [(1, 1), (5, 3), (20, 8), (300, 2)] {
        state.help = !state.help;
        screen(&view, &state, Pace::default(), width, height);
    }
}

#[test]
fn help_and_pace_are_shown() {
    let view = view(&["acme"], 0);
    let state = State { help: true, ..State::default() };
    let paused = screen(&view, &state, Pace { paused: true, factor: 1.1 }, 84, 20);
    let faster = screen(&view, &State::default(), Pace { paused: false, factor: 1.1 }, 84, 20);
    let mut over = view;
    let mut footers = vec![faster];
    for (phase, interrupted) in [(Phase::Settling, false), (Phase::Load, true)] {
        (over.phase, over.interrupted) = (phase, interrupted);
        let pace = Pace { paused: true, factor: 1.0 };
        footers.push(screen(&over, &State::default(), pace, 84, 20));
    }
    let footers: Vec<&str> = footers.iter().filter_map(|screen| screen.lines().last()).collect();
    insta::assert_snapshot!(format!("{paused}\n{}", footers.join("\n")));
}

#[test]
fn keys_do_what_the_help_says() {
    let of = |code| action(KeyEvent::new(code, KeyModifiers::NONE));
    let control = |letter| action(KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL));
    assert_eq!(of(KeyCode::Char('q')), Some(Action::Quit));
    assert_eq!((control('c'), control('z')), (Some(Action::Quit), Some(Action::Suspend)));
    assert_eq!((of(KeyCode::Char('c')), control('p')), (None, None));
    assert_eq!(of(KeyCode::Char('p')), Some(Action::Pause));
    assert_eq!(
        (of(KeyCode::Char('+')), of(KeyCode::Char('-'))),
        (Some(Action::Step(1)), Some(Action::Step(-1)))
    );
    assert_eq!(of(KeyCode::Down), Some(Action::Show(Shown::Tenant(1))));
    assert_eq!(of(KeyCode::Up), Some(Action::Show(Shown::Tenant(-1))));
    assert_eq!(of(KeyCode::Char('?')), Some(Action::Show(Shown::Help)));
}

#[test]
fn a_closed_terminal_is_no_longer_read() {
    let (ours, mut theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    assert_eq!(wait(&ours), KeyCommand::Nothing);
    theirs.write_all(b"p").unwrap();
    assert_eq!(wait(&ours), KeyCommand::Something);
    drop(theirs);
    assert_eq!(wait(&ours), KeyCommand::NoMore);
}

#[test]
fn selecting_tenants_wraps_around() {
    let mut state = State::default();
    let mut seen = Vec::new();
    for later in [1, 1, 1, -1, -1] {
        state.show(Shown::Tenant(later), 3);
        seen.push(state.selected);
    }
    assert_eq!(seen, [1, 2, 0, 2, 1]);
    state.show(Shown::Tenant(-1), 0);
    state.show(Shown::Help, 0);
    assert_eq!((state.selected, state.help), (0, true));
}
