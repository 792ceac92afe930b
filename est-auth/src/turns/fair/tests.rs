use super::*;

mod simulation;

fn line(path: &[&str]) -> Line {
    Line::new(path.iter().map(|name| (*name).to_owned()).collect())
}

fn ask(fair: &mut Fair<&'static str>, path: &[&'static str]) -> Asked<&'static str> {
    fair.ask(&line(path), path[path.len() - 1])
}

/// Fills every place with `label`.
fn busy(places: usize, queue: usize, label: &'static str) -> Fair<&'static str> {
    let mut fair = Fair::new(places, queue, 1);
    (0..places).for_each(|_| assert_eq!(ask(&mut fair, &[label]), Asked::Runs(label)));
    fair
}

fn called(fair: &mut Fair<&'static str>, times: usize) -> Vec<&'static str> {
    (0..times).map_while(|_| fair.leave()).collect()
}

#[test]
fn a_line_may_have_every_place_while_the_others_are_empty() {
    let mut fair = busy(3, 2, "a");
    assert_eq!(ask(&mut fair, &["a"]), Asked::Waits(0));
    assert_eq!(fair.running(), 3);
}

#[test]
fn lines_take_turns_however_long_they_are() {
    let mut fair = busy(1, 100, "flood");
    (0..50).for_each(|_| assert!(matches!(ask(&mut fair, &["flood"]), Asked::Waits(_))));
    for label in ["a", "b", "a"] {
        assert!(matches!(ask(&mut fair, &[label]), Asked::Waits(_)));
    }
    assert_eq!(called(&mut fair, 6), ["flood", "a", "b", "flood", "a", "flood"]);
}

#[test]
fn lines_within_a_line_take_the_turns_of_that_line() {
    let mut fair = busy(1, 100, "a");
    for path in
        [["wide", "one"], ["wide", "one"], ["wide", "two"], ["wide", "three"], ["other", "four"], ["other", "four"]]
    {
        assert!(matches!(ask(&mut fair, &path), Asked::Waits(_)));
    }
    assert_eq!(called(&mut fair, 6), ["one", "four", "two", "four", "three", "one"]);
}

#[test]
fn a_full_queue_makes_room_for_a_shorter_line() {
    let mut fair = busy(1, 4, "flood");
    (0..4).for_each(|_| assert!(matches!(ask(&mut fair, &["flood"]), Asked::Waits(_))));
    assert_eq!(ask(&mut fair, &["flood"]), Asked::Full("flood"));
    assert_eq!(ask(&mut fair, &["a"]), Asked::Displaces(5, "flood"));
    assert_eq!(ask(&mut fair, &["a"]), Asked::Displaces(6, "flood"));
    // The two lines are as long as one another: nobody is displaced to and fro.
    assert_eq!(ask(&mut fair, &["a"]), Asked::Full("a"));
    assert_eq!(ask(&mut fair, &["flood"]), Asked::Full("flood"));
    assert!(matches!(ask(&mut fair, &["b"]), Asked::Displaces(9, "flood" | "a")));
}

#[test]
fn a_full_queue_makes_room_within_the_longest_line() {
    let mut fair = busy(1, 4, "x");
    for path in [["wide", "honest"], ["wide", "flood"], ["wide", "flood"], ["other", "single"]] {
        assert!(matches!(ask(&mut fair, &path), Asked::Waits(_)));
    }
    assert_eq!(ask(&mut fair, &["third", "new"]), Asked::Displaces(4, "flood"));
}

#[test]
fn where_everybody_waits_in_a_line_of_their_own_lots_decide_who_makes_room() {
    let mut fair = Fair::new(1, 64, 7);
    let own = |number: usize| Line::new(vec![format!("2001:db8:{number:x}::/48")]);
    (0..65).for_each(|number| assert!(!matches!(fair.ask(&own(number), number), Asked::Full(_))));
    let refused = (65..1065).filter(|number| matches!(fair.ask(&own(*number), *number), Asked::Full(_))).count();
    // One in 65 would be fair.
    assert!((1..60).contains(&refused), "{refused}");
}

#[test]
fn who_waits_behind_is_called_last_and_makes_room_for_everybody_else() {
    let mut fair = busy(1, 3, "x");
    let decoy = |name: &str| line(&[name]).behind();
    for name in ["1", "2", "3"] {
        assert!(matches!(fair.ask(&decoy(name), "decoy"), Asked::Waits(_)));
    }
    assert_eq!(ask(&mut fair, &["a"]), Asked::Displaces(3, "decoy"));
    assert_eq!(ask(&mut fair, &["a"]), Asked::Displaces(4, "decoy"));
    assert_eq!(called(&mut fair, 2), ["a", "a"]);
    assert_eq!(fair.ask(&decoy("4"), "decoy"), Asked::Waits(5));
    assert_eq!(ask(&mut fair, &["a"]), Asked::Waits(6));
    assert_eq!(ask(&mut fair, &["b"]), Asked::Displaces(7, "decoy"));
    assert_eq!(ask(&mut fair, &["c"]), Asked::Displaces(8, "decoy"));
    assert_eq!(fair.ask(&decoy("5"), "late"), Asked::Full("late"));
}

#[test]
fn who_gives_up_is_not_called() {
    let mut fair = busy(1, 4, "x");
    assert_eq!(ask(&mut fair, &["a", "first"]), Asked::Waits(0));
    assert_eq!(ask(&mut fair, &["b", "second"]), Asked::Waits(1));
    fair.give_up(&line(&["a", "first"]), 0);
    fair.give_up(&line(&["a", "first"]), 0);
    fair.give_up(&line(&["a", "second"]), 1);
    assert_eq!(fair.waiting(), 1);
    assert_eq!(fair.leave(), Some("second"));
    assert_eq!(fair.leave(), None);
    assert_eq!(fair.running(), 0);
}

#[test]
fn fewer_places_are_reached_as_those_who_run_leave_and_more_are_filled_at_once() {
    let mut fair = busy(3, 4, "a");
    assert_eq!(ask(&mut fair, &["waits"]), Asked::Waits(0));
    assert_eq!(fair.resize(1, 4), [""; 0]);
    assert_eq!((fair.leave(), fair.leave(), fair.running()), (None, None, 1));
    assert_eq!(fair.leave(), Some("waits"));
    assert_eq!(ask(&mut fair, &["other"]), Asked::Waits(1));
    assert_eq!(fair.resize(2, 4), ["other"]);
    assert_eq!(fair.running(), 2);
}

#[test]
fn whatever_happens_places_are_filled_bounds_are_kept_and_nobody_is_lost() {
    for seed in 1..200 {
        let mut lots = Lots(seed);
        let (mut places, mut queue) = (1 + lots.draw(4), lots.draw(6));
        let mut fair = Fair::new(places, queue, seed);
        let (mut asked, mut refused, mut gave_up, mut left, mut called) = (0, 0, 0, 0, 0);
        let mut at_once = 0;
        let mut waiting: Vec<(Line, u64)> = Vec::new();
        for _ in 0..300 {
            match lots.draw(10) {
                0..5 => {
                    let own = line(&[["a", "b", "c"][lots.draw(3)], ["a", "b", "c"][lots.draw(3)]]);
                    let own = if lots.draw(3) == 0 { own.behind() } else { own };
                    asked += 1;
                    match fair.ask(&own, ()) {
                        Asked::Runs(()) => at_once += 1,
                        Asked::Waits(number) => waiting.push((own, number)),
                        Asked::Displaces(number, ()) => {
                            waiting.push((own, number));
                            refused += 1;
                        }
                        Asked::Full(()) => refused += 1,
                    }
                }
                5..8 if fair.running() > 0 => {
                    left += 1;
                    called += usize::from(fair.leave().is_some());
                }
                8 if !waiting.is_empty() => {
                    let (own, number) = waiting.swap_remove(lots.draw(waiting.len()));
                    let before = fair.waiting();
                    fair.give_up(&own, number);
                    gave_up += before - fair.waiting();
                }
                9 if lots.draw(5) == 0 => {
                    (places, queue) = (1 + lots.draw(4), lots.draw(6));
                    called += fair.resize(places, queue).len();
                }
                _ => {}
            }
            fair.ranks.iter().for_each(is_sound);
            assert!(fair.running() >= places || fair.waiting() == 0, "a place is free while somebody waits");
            assert_eq!(at_once + called - left, fair.running());
            assert_eq!(asked, at_once + called + refused + gave_up + fair.waiting());
        }
    }
}

fn is_sound<T>(waiting: &Waiting<T>) {
    assert_eq!(waiting.count, waiting.own.len() + waiting.lines.values().map(|line| line.count).sum::<usize>());
    assert_eq!(waiting.turns.len(), waiting.lines.len());
    assert!(waiting.lines.values().all(|line| line.count > 0));
    waiting.lines.values().for_each(is_sound);
}
