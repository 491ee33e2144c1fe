//! The difference of two texts, line by line, for a person.

/// Lines around a difference that are shown.
const AROUND: usize = 2;

/// Every difference, with the lines around it: `-` was, `+` is.
pub fn diff(was: &str, is: &str) -> String {
    let (was, is): (Vec<&str>, Vec<&str>) = (was.lines().collect(), is.lines().collect());
    let head = was.iter().zip(&is).take_while(|(a, b)| a == b).count();
    let rest = was.len().min(is.len()) - head;
    let tail = was.iter().rev().zip(is.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
    let (old, new) = (&was[head..was.len() - tail], &is[head..is.len() - tail]);
    let mut lines: Vec<(char, &str)> = was[..head].iter().map(|line| (' ', *line)).collect();
    lines.extend(middle(old, new));
    lines.extend(was[was.len() - tail..].iter().map(|line| (' ', *line)));
    let near = |at: usize| {
        let around = at.saturating_sub(AROUND)..(at + AROUND + 1).min(lines.len());
        lines[around].iter().any(|(mark, _)| *mark != ' ')
    };
    let mut text = String::new();
    let mut shown = true;
    for (at, (mark, line)) in lines.iter().enumerate() {
        let show = near(at);
        if show {
            text.push_str(&format!("{mark} {line}\n"));
        } else if shown {
            text.push_str("  ...\n");
        }
        shown = show;
    }
    text
}

/// The longest common lines stay, the others are told as gone or new.
fn middle<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<(char, &'a str)> {
    let wide = new.len() + 1;
    let mut common = vec![0u32; (old.len() + 1) * wide];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i * wide + j] = if old[i] == new[j] {
                common[(i + 1) * wide + j + 1] + 1
            } else {
                common[(i + 1) * wide + j].max(common[i * wide + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut lines = Vec::new();
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            lines.push((' ', old[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || (i < old.len() && common[(i + 1) * wide + j] >= common[i * wide + j + 1])
        {
            lines.push(('-', old[i]));
            i += 1;
        } else {
            lines.push(('+', new[j]));
            j += 1;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::diff;

    #[test]
    fn only_what_differs_is_shown_with_what_stands_around_it() {
        let was = "1\n2\n3\n4\n5\n6\n7\n";
        let is = "1\n2\n3\nfour\n5\n6\n7\n8\n";
        assert_eq!(diff(was, is), "  ...\n  2\n  3\n- 4\n+ four\n  5\n  6\n  7\n+ 8\n");
    }
}
