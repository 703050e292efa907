//! What charts draw on.

use super::{Paint, Rect, TextStyle};
use crate::font;
use crate::palette::Marker;

/// How far the lines of a hatching are apart, measured along an edge.
const HATCH_SPACING: f64 = 6.0;

#[derive(Debug, Clone)]
pub(super) enum Geometry {
    Rect(Rect),
    Circle {
        x: f64,
        y: f64,
        radius: f64,
    },
    /// Runs of points; each is closed or not.
    Path {
        runs: Vec<Vec<(f64, f64)>>,
        closed: bool,
    },
}

#[derive(Debug, Clone)]
pub(super) enum Node {
    Shape { geometry: Geometry, paint: Paint },
    Text { text: String, x: f64, y: f64, style: TextStyle },
    Group { class: &'static str, tooltip: Option<String>, offset: (f64, f64), clip: Option<Rect>, nodes: Vec<Node> },
}

/// What is drawn on, later over earlier. What has a coordinate that is not a finite number is not drawn.
#[derive(Debug, Clone, Default)]
pub(crate) struct Canvas {
    pub(super) nodes: Vec<Node>,
}

impl Canvas {
    pub(crate) fn rect(&mut self, rect: Rect, paint: Paint) {
        if [rect.x, rect.y, rect.width, rect.height].iter().all(|number| number.is_finite())
            && rect.width >= 0.0
            && rect.height >= 0.0
        {
            self.nodes.push(Node::Shape { geometry: Geometry::Rect(rect), paint });
        }
    }

    pub(crate) fn circle(&mut self, (x, y): (f64, f64), radius: f64, paint: Paint) {
        if x.is_finite() && y.is_finite() {
            self.nodes.push(Node::Shape { geometry: Geometry::Circle { x, y, radius }, paint });
        }
    }

    pub(crate) fn line(&mut self, from: (f64, f64), to: (f64, f64), paint: Paint) {
        self.path(vec![vec![from, to]], false, paint);
    }

    pub(crate) fn polyline(&mut self, points: Vec<(f64, f64)>, paint: Paint) {
        self.path(vec![points], false, paint);
    }

    pub(crate) fn polygon(&mut self, points: Vec<(f64, f64)>, paint: Paint) {
        self.path(vec![points], true, paint);
    }

    /// Several lines as one shape.
    pub(crate) fn lines(&mut self, runs: Vec<Vec<(f64, f64)>>, paint: Paint) {
        self.path(runs, false, paint);
    }

    fn path(&mut self, mut runs: Vec<Vec<(f64, f64)>>, closed: bool, paint: Paint) {
        runs.retain(|run| run.len() > 1 && run.iter().all(|(x, y)| x.is_finite() && y.is_finite()));
        if !runs.is_empty() {
            self.nodes.push(Node::Shape { geometry: Geometry::Path { runs, closed }, paint });
        }
    }

    /// A marker whose area is that of a circle of this radius, more or less.
    pub(crate) fn marker(&mut self, marker: Marker, (x, y): (f64, f64), radius: f64, paint: Paint) {
        let at = |points: &[(f64, f64)]| points.iter().map(|(dx, dy)| (x + dx * radius, y + dy * radius)).collect();
        match marker {
            Marker::Circle => self.circle((x, y), radius, paint),
            Marker::Square => self.polygon(at(&[(-0.88, -0.88), (0.88, -0.88), (0.88, 0.88), (-0.88, 0.88)]), paint),
            Marker::Triangle => self.polygon(at(&[(0.0, -1.2), (1.15, 0.8), (-1.15, 0.8)]), paint),
            Marker::Diamond => self.polygon(at(&[(0.0, -1.3), (1.3, 0.0), (0.0, 1.3), (-1.3, 0.0)]), paint),
            Marker::Cross => {
                let (a, b) = (0.4, 1.15);
                let plus =
                    [(-a, -b), (a, -b), (a, -a), (b, -a), (b, a), (a, a), (a, b), (-a, b), (-a, a), (-b, a), (-b, -a)];
                let mut points: Vec<_> = at(&plus);
                points.push((x - a * radius, y - a * radius));
                self.polygon(points, paint);
            }
        }
    }

    /// Slanted lines over a rectangle: the sign of truncation in all charts.
    pub(crate) fn hatch(&mut self, rect: Rect, paint: Paint) {
        let (right, bottom) = (rect.right(), rect.bottom());
        self.hatch_polygon(&[(rect.x, rect.y), (right, rect.y), (right, bottom), (rect.x, bottom)], paint);
    }

    /// Slanted lines over a polygon. They are cut here, since patterns and clips are drawn differently by every viewer.
    pub(crate) fn hatch_polygon(&mut self, polygon: &[(f64, f64)], paint: Paint) {
        if polygon.iter().any(|(x, y)| !(x.abs() < 1e6 && y.abs() < 1e6)) {
            return;
        }
        let sums = polygon.iter().map(|(x, y)| x + y);
        let (first, last) =
            sums.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), sum| (low.min(sum), high.max(sum)));
        let mut runs = Vec::new();
        // Lines x + y = c. Those of neighbours meet, since c counts from the canvas' corner.
        let mut sum = (first / HATCH_SPACING).floor().mul_add(HATCH_SPACING, HATCH_SPACING / 2.0);
        while sum < last {
            let mut crossings: Vec<f64> = polygon
                .iter()
                .zip(polygon.iter().cycle().skip(1))
                .filter(|((x1, y1), (x2, y2))| (x1 + y1 < sum) != (x2 + y2 < sum))
                .map(|((x1, y1), (x2, y2))| x1 + (x2 - x1) * (sum - x1 - y1) / (x2 + y2 - x1 - y1))
                .collect();
            crossings.sort_by(f64::total_cmp);
            runs.extend(crossings.chunks_exact(2).map(|pair| vec![(pair[0], sum - pair[0]), (pair[1], sum - pair[1])]));
            sum += HATCH_SPACING;
        }
        self.lines(runs, paint);
    }

    /// Text whose baseline is at `y`.
    pub(crate) fn text(&mut self, text: &str, (x, y): (f64, f64), style: TextStyle) {
        if x.is_finite() && y.is_finite() && !text.trim().is_empty() {
            self.nodes.push(Node::Text { text: font::printable(text), x, y, style });
        }
    }

    /// Text whose capitals are centred on `y`.
    pub(crate) fn centred(&mut self, text: &str, (x, y): (f64, f64), style: TextStyle) {
        self.text(text, (x, y + style.drop()), style);
    }

    /// Shapes that belong together, with what a reader sees who points at them.
    pub(crate) fn group(&mut self, class: &'static str, tooltip: Option<String>, draw: impl FnOnce(&mut Self)) {
        let mut canvas = Self::default();
        draw(&mut canvas);
        self.nodes.push(Node::Group { class, tooltip, offset: (0.0, 0.0), clip: None, nodes: canvas.nodes });
    }

    /// Shapes of which only what lies in the rectangle is seen.
    pub(crate) fn clipped(&mut self, clip: Rect, draw: impl FnOnce(&mut Self)) {
        let mut canvas = Self::default();
        draw(&mut canvas);
        self.nodes.push(Node::Group {
            class: "clipped",
            tooltip: None,
            offset: (0.0, 0.0),
            clip: Some(clip),
            nodes: canvas.nodes,
        });
    }

    /// What was drawn elsewhere, moved.
    pub(crate) fn place(&mut self, class: &'static str, offset: (f64, f64), canvas: Self) {
        self.nodes.push(Node::Group { class, tooltip: None, offset, clip: None, nodes: canvas.nodes });
    }
}
