//! Text of the pages of a PDF: what is shown, and where the next text stands from the end of the last, which
//! is all that divides words and lines.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

use lopdf::content::Content;
use lopdf::{Dictionary, Document, Object, ObjectId, Stream};

use crate::privacy::passage::{Channel, Reason};

use super::super::super::desk::{Desk, Outcome, Stop};
use super::super::super::joins;
use super::font::{Font, number};

/// Forms in forms. Each is read once however often it is shown, so that forms that show each other end.
const FORMS_DEEP: usize = 16;
/// Saved states; what a page saves beyond is drawn with the last.
const STATES_MAX: usize = 256;
/// A gap along the line from which on words are apart, in parts of the font's size: a narrow blank has
/// a fifth, kerning less than a tenth.
const WORD_GAP: f64 = 0.15;
/// A step back from which on what follows is another text.
const STEP_BACK: f64 = 0.5;
/// Codes without meaning, one after the other, that may be a word. Fewer are bullets and signs.
const UNKNOWN_MIN: usize = 3;
/// A step across the line from which on it is another line; raised letters go less far.
const LINE_STEP: f64 = 0.6;

/// Reads all pages, then what is shown in none (the looks of annotations). Returns the number of pages.
pub(super) fn read_all(desk: &mut Desk<'_>, document: &Document) -> Outcome<usize> {
    let mut texts = Texts { document, fonts: HashMap::new(), forms: HashMap::new() };
    let mut pages = 0;
    let mut ids: Vec<ObjectId> = document.page_iter().collect();
    let listed: HashSet<ObjectId> = ids.iter().copied().collect();
    // Pages that no list leads to, in a damaged file or one that hides them.
    let is_page = |object: &Object| object.as_dict().is_ok_and(|dictionary| dictionary.has_type(b"Page"));
    ids.extend(
        document
            .objects
            .iter()
            .filter(|(id, object)| !listed.contains(id) && is_page(object))
            .map(|(id, _)| *id),
    );
    for page in ids {
        pages += 1;
        let place = format!("page {pages}");
        let read = texts.page(desk, &place, page);
        desk.settle(&place, read)?;
    }
    for (id, object) in &document.objects {
        if let Object::Stream(stream) = object
            && is_form(stream)
            && !texts.forms.contains_key(id)
        {
            let place = format!("object {}", id.0);
            let mut run = Run::new(&place, BTreeMap::new());
            let read = texts.form(desk, &mut run, *id, stream, 0);
            let told = run.tell(desk);
            desk.settle(&place, read.and(told))?;
        }
    }
    Ok(pages)
}

fn is_form(stream: &Stream) -> bool {
    stream.dict.get(b"Subtype").and_then(Object::as_name).is_ok_and(|subtype| subtype == b"Form")
}

struct Texts<'a> {
    document: &'a Document,
    /// By where the dictionary lies: fonts have no other name over the whole file.
    fonts: HashMap<*const Dictionary, Rc<Font<'a>>>,
    /// Forms that were read, and whether there was text in them.
    forms: HashMap<ObjectId, bool>,
}

type Fonts<'a> = BTreeMap<Vec<u8>, &'a Dictionary>;

/// Three columns of a matrix, of which the last is always the same.
#[derive(Clone, Copy)]
struct Matrix([f64; 6]);

impl Matrix {
    const IDENTITY: Self = Self([1.0, 0.0, 0.0, 1.0, 0.0, 0.0]);

    fn of(operands: &[Object]) -> Option<Self> {
        let mut values = [0.0; 6];
        for (value, operand) in values.iter_mut().zip(operands.get(..6)?) {
            *value = number(operand)?;
        }
        Some(Self(values))
    }

    fn moved(x: f64, y: f64) -> Self {
        Self([1.0, 0.0, 0.0, 1.0, x, y])
    }

    /// First this one, then the other.
    fn then(self, Self(n): Self) -> Self {
        let m = self.0;
        Self([
            m[0] * n[0] + m[1] * n[2],
            m[0] * n[1] + m[1] * n[3],
            m[2] * n[0] + m[3] * n[2],
            m[2] * n[1] + m[3] * n[3],
            m[4] * n[0] + m[5] * n[2] + n[4],
            m[4] * n[1] + m[5] * n[3] + n[5],
        ])
    }
}

#[derive(Clone)]
struct State<'a> {
    place: Matrix,
    font: Option<Rc<Font<'a>>>,
    size: f64,
    spacing: f64,
    word_spacing: f64,
    stretch: f64,
    leading: f64,
}

/// What is being read of one page.
struct Run<'a, 'p> {
    place: &'p str,
    fonts: Fonts<'a>,
    state: State<'a>,
    saved: Vec<State<'a>>,
    text_place: Matrix,
    line_place: Matrix,
    /// Where the last text ended: its point, its direction, its size.
    last: Option<(f64, f64, f64, f64, f64)>,
    text: String,
    /// Codes without meaning that were shown one after the other.
    unknown: usize,
    shows_unknown: bool,
    paints: bool,
    had_text: bool,
}

impl<'a, 'p> Run<'a, 'p> {
    fn new(place: &'p str, fonts: Fonts<'a>) -> Self {
        Self {
            place,
            fonts,
            state: State {
                place: Matrix::IDENTITY,
                font: None,
                size: 1.0,
                spacing: 0.0,
                word_spacing: 0.0,
                stretch: 1.0,
                leading: 0.0,
            },
            saved: Vec::new(),
            text_place: Matrix::IDENTITY,
            line_place: Matrix::IDENTITY,
            last: None,
            text: String::new(),
            unknown: 0,
            shows_unknown: false,
            paints: false,
            had_text: false,
        }
    }

    /// Hands out what was read.
    fn tell(&mut self, desk: &mut Desk<'_>) -> Outcome {
        self.had_text |= !self.text.trim().is_empty();
        let group = desk.group();
        let text = std::mem::take(&mut self.text);
        desk.hand_out(Channel::PdfText, self.place, group, &text)?;
        joins::over_hyphens(desk, self.place, group, &text)
    }

    fn next_line(&mut self, x: f64, y: f64) {
        self.line_place = Matrix::moved(x, y).then(self.line_place);
        self.text_place = self.line_place;
    }

    fn show(&mut self, desk: &Desk<'_>, bytes: &[u8]) -> Outcome {
        // The text of a page can be far more than its bytes: a code may stand for many characters.
        if self.text.len() > desk.bounds.text_max {
            return Err(Stop::Item(Reason::TooLarge));
        }
        let m = self.text_place.then(self.state.place).0;
        let (size_x, direction) = (m[0].hypot(m[1]), (m[0], m[1]));
        let em = (self.state.size * size_x).abs().max(f64::MIN_POSITIVE);
        let (ux, uy) =
            (direction.0 / size_x.max(f64::MIN_POSITIVE), direction.1 / size_x.max(f64::MIN_POSITIVE));
        if let Some((x, y, last_ux, last_uy, last_em)) = self.last {
            let (dx, dy) = (m[4] - x, m[5] - y);
            let em = em.max(last_em);
            let (along, across) = ((dx * last_ux + dy * last_uy) / em, (dx * last_uy - dy * last_ux) / em);
            if !across.is_finite() || across.abs() > LINE_STEP {
                self.text.push('\n');
            } else if !(-STEP_BACK..=WORD_GAP).contains(&along) && !self.text.ends_with(char::is_whitespace) {
                self.text.push(' ');
            }
        }
        let Some(font) = self.state.font.clone() else {
            self.text.push_str(&super::text_string(bytes));
            return Ok(());
        };
        let unknown = font.decode(bytes, &mut self.text);
        self.unknown = if unknown == 0 { 0 } else { self.unknown + unknown };
        self.shows_unknown |= self.unknown >= UNKNOWN_MIN;
        let width: f64 = bytes
            .chunks(font.code_bytes)
            .map(|code| {
                let code = code.iter().fold(0, |sum, byte| (sum << 8) | u32::from(*byte));
                let blank = if font.code_bytes == 1 && code == 32 { self.state.word_spacing } else { 0.0 };
                font.width(code) * self.state.size + self.state.spacing + blank
            })
            .sum();
        self.text_place = Matrix::moved(width * self.state.stretch, 0.0).then(self.text_place);
        let end = self.text_place.then(self.state.place).0;
        self.last = Some((end[4], end[5], ux, uy, em));
        Ok(())
    }
}

impl<'a> Texts<'a> {
    fn page(&mut self, desk: &mut Desk<'_>, place: &str, page: ObjectId) -> Outcome {
        let document = self.document;
        let allowance = desk.unpack_allowance();
        let content = document.get_page_content_with_limit(page, allowance);
        let content = content.map_err(|error| Stop::Part(super::reason(&error)))?;
        desk.unpacked(content.len())?;
        let fonts = document.get_page_fonts(page).unwrap_or_default();
        let resources = resources(document, page);
        let mut run = Run::new(place, fonts);
        let read = self.content(desk, &mut run, &content, resources, 0);
        run.tell(desk)?;
        read?;
        // A page that shows something of which nothing is text.
        if run.shows_unknown || (run.paints && !run.had_text) {
            return Err(Stop::Part(Reason::NoText));
        }
        Ok(())
    }

    fn content(
        &mut self,
        desk: &mut Desk<'_>,
        run: &mut Run<'a, '_>,
        content: &[u8],
        resources: Option<&'a Dictionary>,
        depth: usize,
    ) -> Outcome {
        for operation in Content::decode_iter(content) {
            desk.tick()?;
            let operation = operation.map_err(|_| Stop::Part(Reason::Damaged))?;
            let operands = operation.operands.as_slice();
            match operation.operator.as_str() {
                "Do" => {
                    if let Some(name) = operands.first().and_then(|name| name.as_name().ok()) {
                        self.draw(desk, run, name, resources, depth)?;
                    }
                }
                "Tf" => {
                    if let [Object::Name(name), size] = operands {
                        run.state.size = number(size).unwrap_or(1.0);
                        run.state.font = match run.fonts.get(name).copied() {
                            Some(dictionary) => Some(self.font(desk, dictionary)?),
                            None => None,
                        };
                    }
                }
                "BDC" => {
                    if let Some(Object::Dictionary(properties)) = operands.get(1) {
                        said(desk, run.place, properties)?;
                    }
                }
                operator => operate(desk, run, operator, operands)?,
            }
        }
        Ok(())
    }

    fn font(&mut self, desk: &mut Desk<'_>, dictionary: &'a Dictionary) -> Outcome<Rc<Font<'a>>> {
        let key = std::ptr::from_ref(dictionary);
        if let Some(font) = self.fonts.get(&key) {
            return Ok(Rc::clone(font));
        }
        let font = Rc::new(Font::read(desk, self.document, dictionary)?);
        self.fonts.insert(key, Rc::clone(&font));
        Ok(font)
    }

    /// Draws a form or a picture.
    fn draw(
        &mut self,
        desk: &mut Desk<'_>,
        run: &mut Run<'a, '_>,
        name: &[u8],
        resources: Option<&'a Dictionary>,
        depth: usize,
    ) -> Outcome {
        let document = self.document;
        let objects =
            resources.and_then(|resources| resources.get_deref(b"XObject", document).ok()?.as_dict().ok());
        let Some(id) = objects.and_then(|objects| objects.get(name).ok()?.as_reference().ok()) else {
            return Ok(());
        };
        let Some(stream) = document.get_object(id).ok().and_then(|object| object.as_stream().ok()) else {
            return Ok(());
        };
        if is_form(stream) {
            self.form(desk, run, id, stream, depth)
        } else {
            run.paints = true;
            Ok(())
        }
    }

    fn form(
        &mut self,
        desk: &mut Desk<'_>,
        run: &mut Run<'a, '_>,
        id: ObjectId,
        stream: &'a Stream,
        depth: usize,
    ) -> Outcome {
        if depth >= FORMS_DEEP {
            return Err(Stop::Part(Reason::TooDeep));
        }
        if let Some(had_text) = self.forms.get(&id) {
            run.had_text |= *had_text;
            return Ok(());
        }
        self.forms.insert(id, false);
        let document = self.document;
        let content = super::unpacked(desk, stream)?;
        let own = stream.dict.get_deref(b"Resources", document).and_then(Object::as_dict).ok();
        let mut fonts = run.fonts.clone();
        if let Some(named) = own.and_then(|own| own.get_deref(b"Font", document).ok()?.as_dict().ok()) {
            for (name, font) in named {
                if let Some(font) = document.dereference(font).ok().and_then(|(_, font)| font.as_dict().ok())
                {
                    fonts.insert(name.clone(), font);
                }
            }
        }
        let outer_fonts = std::mem::replace(&mut run.fonts, fonts);
        let (outer, saved) = (run.state.clone(), std::mem::take(&mut run.saved));
        if let Some(matrix) = stream
            .dict
            .get_deref(b"Matrix", document)
            .and_then(Object::as_array)
            .ok()
            .and_then(|matrix| Matrix::of(matrix))
        {
            run.state.place = matrix.then(run.state.place);
        }
        let before = run.text.len();
        let read = self.content(desk, run, &content, own, depth + 1);
        let has_text = run.text.get(before..).is_some_and(|text| !text.trim().is_empty());
        self.forms.insert(id, has_text);
        run.state = outer;
        run.saved = saved;
        run.fonts = outer_fonts;
        read
    }
}

/// Operators that need neither fonts nor forms to be looked up.
fn operate<'a>(desk: &mut Desk<'_>, run: &mut Run<'a, '_>, operator: &str, operands: &[Object]) -> Outcome {
    let value = |at: usize| operands.get(at).and_then(number).unwrap_or(0.0);
    match operator {
        "q" if run.saved.len() < STATES_MAX => run.saved.push(run.state.clone()),
        "Q" => {
            if let Some(state) = run.saved.pop() {
                run.state = state;
            }
        }
        "cm" => {
            if let Some(matrix) = Matrix::of(operands) {
                run.state.place = matrix.then(run.state.place);
            }
        }
        "BT" => {
            run.text_place = Matrix::IDENTITY;
            run.line_place = Matrix::IDENTITY;
        }
        "Tm" => {
            if let Some(matrix) = Matrix::of(operands) {
                run.text_place = matrix;
                run.line_place = matrix;
            }
        }
        "Tc" => run.state.spacing = value(0),
        "Tw" => run.state.word_spacing = value(0),
        "Tz" => run.state.stretch = value(0) / 100.0,
        "TL" => run.state.leading = value(0),
        "Td" => run.next_line(value(0), value(1)),
        "TD" => {
            run.state.leading = -value(1);
            run.next_line(value(0), value(1));
        }
        "T*" => run.next_line(0.0, -run.state.leading),
        "Tj" | "'" | "\"" => {
            if operator == "\"" {
                run.state.word_spacing = value(0);
                run.state.spacing = value(1);
            }
            if operator != "Tj" {
                run.next_line(0.0, -run.state.leading);
            }
            if let Some(Object::String(bytes, _)) = operands.last() {
                run.show(desk, bytes)?;
            }
        }
        "TJ" => {
            for piece in operands.first().and_then(|pieces| pieces.as_array().ok()).into_iter().flatten() {
                desk.tick()?;
                match piece {
                    Object::String(bytes, _) => run.show(desk, bytes)?,
                    piece => {
                        let back = number(piece).unwrap_or(0.0) / 1000.0 * run.state.size * run.state.stretch;
                        run.text_place = Matrix::moved(-back, 0.0).then(run.text_place);
                    }
                }
            }
        }
        "f" | "F" | "f*" | "B" | "B*" | "b" | "b*" | "S" | "s" | "sh" | "BI" => run.paints = true,
        _ => {}
    }
    Ok(())
}

/// What marked content says that it stands for.
fn said(desk: &mut Desk<'_>, place: &str, properties: &Dictionary) -> Outcome {
    let group = desk.group();
    for key in [&b"ActualText"[..], b"Alt", b"E"] {
        if let Ok(Object::String(bytes, _)) = properties.get(key) {
            desk.hand_out(Channel::PdfText, place, group, &super::text_string(bytes))?;
        }
    }
    Ok(())
}

/// Resources of a page, its own or those of the nodes above it.
fn resources(document: &Document, page: ObjectId) -> Option<&Dictionary> {
    let (own, ids) = document.get_page_resources(page).ok()?;
    own.or_else(|| ids.iter().find_map(|id| document.get_dictionary(*id).ok()))
}
