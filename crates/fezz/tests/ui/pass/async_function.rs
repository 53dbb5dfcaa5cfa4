use fezz::prelude::*;

#[fezz_function(path = "/", timeout = "1500ms")]
async fn todos(mut request: FezzRequest, _context: Context) -> Result<String, FezzError> {
    request = request.with_body("1");
    let todo: u32 = request.text()?.parse()?;
    Ok(todo.to_string())
}

fn main() {
    assert_eq!(TodosFunction::new().call(FezzRequest::new("GET", "/")).bytes(), b"1");
}
